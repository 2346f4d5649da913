// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"errors"
	"strconv"
	"strings"
)

func users() []operation {
	return []operation{
		{"hostUsers: false", userNamespace},
		{"hostUsers: false, ordinary user", userNamespaceUser},
		{"hostUsers: false, privileged", userNamespacePrivileged},
		{"hostUsers: false, procMount Unmasked", unmasked},
		{"supplementalGroupsPolicy", groups},
		{"security context", securityContext},
		{"AppArmor", appArmor},
	}
}

// mapped checks that root of the pod is another user on the node, and returns nothing if not.
func (s *space) mapped(pod string) {
	s.Helper()
	fields := strings.Fields(s.exec(pod, "cat", "/proc/self/uid_map"))
	if len(fields) != 3 || fields[0] != "0" {
		s.Fatalf("uid_map of %s: %v", pod, fields)
	}
	if host, err := strconv.Atoi(fields[1]); err != nil || host < 65536 {
		s.Errorf("root of %s is user %s on the node", pod, fields[1])
	}
}

// volumesOfAll are the kinds that are mounted with the pod's id map.
const volumesOfAll = `volumes:
- {name: disk, emptyDir: {}}
- {name: memory, emptyDir: {medium: Memory}}
- {name: config, configMap: {name: config}}
- {name: token, projected: {sources: [{serviceAccountToken: {path: token}}]}}
`

const mountsOfAll = `  volumeMounts:
  - {name: disk, mountPath: /mnt/disk}
  - {name: memory, mountPath: /mnt/memory}
  - {name: config, mountPath: /mnt/config}
  - {name: token, mountPath: /mnt/token}
`

func userNamespace(s *space) {
	s.kubectl("create", "configmap", "config", "--from-literal=key=value")
	s.ready("p", "hostUsers: false\n"+volumesOfAll+"containers:\n- name: c\n  image: $IMAGE\n  command: [/guest, pause]\n"+mountsOfAll)
	s.mapped("p")
	s.equal("user", s.exec("p", "id", "-u"), "0")
	s.equal("owner of a volume", s.exec("p", "stat", "-c", "%u:%g", "/mnt/disk"), "0:0")
	s.equal("owner of the root", s.exec("p", "stat", "-c", "%u:%g", "/bin/busybox"), "0:0")
	s.exec("p", "sh", "-c", "echo x >/mnt/disk/file && echo y >/mnt/memory/file && test $(stat -c %u /mnt/disk/file) = 0")
	s.equal("config", s.exec("p", "cat", "/mnt/config/key"), "value")
	s.exec("p", "test", "-s", "/mnt/token/token")
	// Root there cannot do what root here can.
	if _, err := s.try("exec", "p", "--", "mknod", "/tmp/null", "c", "1", "3"); err == nil {
		s.Error("a device can be made in a user namespace")
	}
}

func userNamespaceUser(s *space) {
	s.kubectl("create", "configmap", "config", "--from-literal=key=value")
	s.ready("p", "hostUsers: false\nsecurityContext: {runAsUser: 1000, runAsGroup: 1000, fsGroup: 3000}\n"+
		volumesOfAll+"containers:\n- name: c\n  image: $IMAGE\n  command: [/guest, pause]\n"+mountsOfAll)
	s.mapped("p")
	s.equal("user and groups", s.exec("p", "id"), "uid=1000(user) gid=1000(user) groups=1000(user),3000,50000(image)")
	s.equal("group of a volume", s.exec("p", "stat", "-c", "%g", "/mnt/disk"), "3000")
	s.exec("p", "sh", "-c", "echo x >/mnt/disk/file")
	s.exec("p", "test", "-s", "/mnt/token/token")
}

func userNamespacePrivileged(s *space) {
	s.ready("p", `hostUsers: false
containers:
- {name: c, image: $IMAGE, command: [/guest, pause], securityContext: {privileged: true}}
`)
	s.mapped("p")
	s.exec("p", "sh", "-c", "mount -t tmpfs none /mnt && touch /mnt/file && umount /mnt")
	s.exec("p", "sh", "-c", "mount -t proc proc /mnt && umount /mnt")
}

func unmasked(s *space) {
	// containerd's profile of AppArmor lets nobody mount.
	const spec = `hostUsers: false
containers:
- name: c
  image: $IMAGE
  command: [/guest, pause]
  securityContext: {procMount: $MOUNT, capabilities: {add: [SYS_ADMIN]}, appArmorProfile: {type: Unconfined}}
`
	s.ready("masked", strings.ReplaceAll(spec, "$MOUNT", "Default"))
	s.ready("unmasked", strings.ReplaceAll(spec, "$MOUNT", "Unmasked"))
	if out := s.exec("unmasked", "grep", "-c", "/proc", "/proc/mounts"); strings.TrimSpace(out) != "1" {
		s.Errorf("mounts below an unmasked /proc: %s", out)
	}
	if out := s.exec("masked", "grep", "-c", "/proc", "/proc/mounts"); strings.TrimSpace(out) == "1" {
		s.Errorf("no mounts below a masked /proc")
	}
	// Unmasked is for containers in containers: a new proc can be mounted in a user namespace only
	// where all of the old one is visible.
	s.exec("unmasked", "unshare", "-Urmpf", "sh", "-c", "mount -t proc proc /mnt")
	if _, err := s.try("exec", "masked", "--", "unshare", "-Urmpf", "sh", "-c", "mount -t proc proc /mnt"); err == nil {
		s.Error("a new proc can be mounted where the old one is masked")
	}
}

func groups(s *space) {
	const spec = `securityContext: {runAsUser: 1000, runAsGroup: 1000, supplementalGroups: [4000], supplementalGroupsPolicy: $POLICY}
containers:
- {name: c, image: $IMAGE, command: [/guest, pause]}
`
	s.ready("merge", strings.ReplaceAll(spec, "$POLICY", "Merge"))
	s.ready("strict", strings.ReplaceAll(spec, "$POLICY", "Strict"))
	s.equal("merged groups", s.exec("merge", "id", "-G"), "1000 4000 50000")
	s.equal("strict groups", s.exec("strict", "id", "-G"), "1000 4000")
	s.contains("status", s.field("pod/strict", ".status.containerStatuses[0].user.linux"), `"supplementalGroups":[1000,4000]`)
}

func securityContext(s *space) {
	s.ready("p", `securityContext:
  seccompProfile: {type: RuntimeDefault}
  sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: "80"}, {name: kernel.shm_rmid_forced, value: "1"}, {name: net.core.somaxconn, value: "99"}]
volumes: [{name: v, emptyDir: {}}]
containers:
- name: c
  image: $IMAGE
  command: [/guest, pause]
  volumeMounts: [{name: v, mountPath: /mnt}]
  securityContext:
    runAsUser: 1000
    runAsNonRoot: true
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: false
    capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}
`)
	status := s.exec("p", "cat", "/proc/1/status")
	for _, want := range []string{"Seccomp:\t2", "NoNewPrivs:\t1", "CapBnd:\t0000000000000400", "Uid:\t1000"} {
		s.contains("status", status, want)
	}
	s.exec("p", "sh", "-c", "! touch /tmp/file 2>/dev/null && touch /mnt/file")
	for name, value := range map[string]string{
		"net/ipv4/ip_unprivileged_port_start": "80", "kernel/shm_rmid_forced": "1", "net/core/somaxconn": "99",
	} {
		s.equal(name, s.exec("p", "cat", "/proc/sys/"+name), value)
	}
	// The default profile allows no new mounts, even in a user namespace.
	if _, err := s.try("exec", "p", "--", "unshare", "-U", "true"); err == nil {
		s.Error("unshare -U succeeds with the default seccomp profile")
	}
	// An image without a numeric user other than root is refused.
	s.pod("root", "containers:\n- {name: c, image: $IMAGE, command: [/guest, pause], securityContext: {runAsNonRoot: true}}\n")
	s.wait("jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError", "pod/root")
}

// appArmor profiles are containerd's own, one that the node has, and none.
func appArmor(s *space) {
	n := suite.cluster.nodes[0]
	if out, err := n.output("cat", "/sys/module/apparmor/parameters/enabled"); err != nil || strings.TrimSpace(out) != "Y" {
		s.Skip("the kernel has no AppArmor")
	}
	const profile = "profile cluster-no-write flags=(attach_disconnected) { file, capability, network, signal, ptrace, deny /tmp/** w, }"
	s.on(n, "sh", "-c", "echo '"+profile+"' | apparmor_parser --replace")
	spec := "nodeName: " + n.name + `
containers:
- name: c
  image: $IMAGE
  command: [/guest, pause]
  volumeMounts: [{name: v, mountPath: /tmp}]
  securityContext: {appArmorProfile: $PROFILE}
volumes: [{name: v, emptyDir: {}}]
`
	for name, profile := range map[string]struct{ asked, label string }{
		"default":    {"{type: RuntimeDefault}", "cri-containerd.apparmor.d (enforce)"},
		"local":      {"{type: Localhost, localhostProfile: cluster-no-write}", "cluster-no-write (enforce)"},
		"unconfined": {"{type: Unconfined}", "unconfined"},
	} {
		s.ready(name, strings.ReplaceAll(spec, "$PROFILE", profile.asked))
		s.equal("the label of "+name, s.exec(name, "cat", "/proc/1/attr/current"), profile.label)
		s.equal("the label of an exec in "+name, s.exec(name, "cat", "/proc/self/attr/current"), profile.label)
	}
	s.exec("default", "touch", "/tmp/file")
	s.exec("local", "sh", "-c", "! touch /tmp/file")
	// One that the node does not have.
	s.pod("absent", strings.ReplaceAll(spec, "$PROFILE", "{type: Localhost, localhostProfile: cluster-absent}"))
	s.eventually("the profile that is not there", func() error {
		out := s.field("pod/absent", ".status") + s.kubectl("get", "events", "--field-selector", "involvedObject.name=absent")
		if !strings.Contains(out, "cluster-absent") {
			return errors.New(out)
		}
		return nil
	})
}
