// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"strings"
)

func volumes() []operation {
	return []operation{
		{"image volume", imageVolume},
		{"mount propagation", propagation},
		{"recursive read-only", recursiveReadOnly},
		{"subPath", subPath},
		{"volumes of all kinds", allVolumes},
	}
}

func imageVolume(s *space) {
	s.ready("p", `volumes: [{name: v, image: {reference: "$DATA"}}]
containers:
- name: c
  image: $IMAGE
  command: [/guest, pause]
  volumeMounts: [{name: v, mountPath: /mnt/whole}, {name: v, mountPath: /mnt/part, subPath: sub}]
`)
	s.equal("the image's file", s.exec("p", "cat", "/mnt/whole/sub/file"), "from an image")
	s.equal("the image's file, by subPath", s.exec("p", "cat", "/mnt/part/file"), "from an image")
	s.exec("p", "sh", "-c", "! touch /mnt/whole/new 2>/dev/null")
	// And in a user namespace.
	s.ready("mapped", `hostUsers: false
volumes: [{name: v, image: {reference: "$DATA"}}]
containers:
- {name: c, image: $IMAGE, command: [/guest, pause], volumeMounts: [{name: v, mountPath: /mnt}]}
`)
	s.equal("in a user namespace", s.exec("mapped", "cat", "/mnt/sub/file"), "from an image")
	s.equal("owner in a user namespace", s.exec("mapped", "stat", "-c", "%u", "/mnt/sub/file"), "0")
}

// nodeDirectory makes a directory on a node, in which it runs a script. remove ends the pods, and
// removes the directory with what is mounted there.
func nodeDirectory(s *space, script string) (n *node, dir string, remove func()) {
	dir, n = "/run/"+s.name, suite.cluster.nodes[0]
	if err := n.command("sh", "-ec", "mkdir "+dir+"; cd "+dir+"; "+script); err != nil {
		s.Fatal(err)
	}
	return n, dir, func() {
		s.kubectl("delete", "pod", "--all")
		mounts := "for m in " + dir + " " + dir + "/*; do ! mountpoint -q $m || umount -R $m; done"
		if err := n.command("sh", "-ec", mounts+"; rm -r --one-file-system "+dir); err != nil {
			s.Error(err)
		}
	}
}

func propagation(s *space) {
	n, dir, remove := nodeDirectory(s, "mount -t tmpfs tmpfs .; cd $PWD; mount --make-shared .; mkdir in out")
	defer remove()
	spec := "nodeName: " + n.name + "\nvolumes: [{name: v, hostPath: {path: " + dir + `}}]
containers:
- name: c
  image: $IMAGE
  command: [/guest, pause]
  securityContext: {privileged: true}
  volumeMounts: [{name: v, mountPath: /mnt, mountPropagation: $PROPAGATION}]
`
	for name, kind := range map[string]string{"both": "Bidirectional", "in": "HostToContainer", "none": "None"} {
		s.ready(name, strings.ReplaceAll(spec, "$PROPAGATION", kind))
	}
	if err := n.command("mount", "-t", "tmpfs", "from-host", dir+"/in"); err != nil {
		s.Fatal(err)
	}
	for name, want := range map[string]string{"both": "1", "in": "1", "none": "0"} {
		s.equal("the host's mount in "+name, s.exec(name, "sh", "-c", "grep -c ^from-host /proc/mounts || true"), want)
	}
	for _, name := range []string{"in", "none"} {
		s.exec(name, "mount", "-t", "tmpfs", "from-"+name, "/mnt/out")
		s.exec(name, "umount", "/mnt/out")
	}
	s.exec("both", "mount", "-t", "tmpfs", "from-container", "/mnt/out")
	for name, want := range map[string]string{"both": "1", "in": "1", "none": "0"} {
		s.equal("the container's mount in "+name, s.exec(name, "sh", "-c", "grep -c ^from-container /proc/mounts || true"), want)
	}
	if out, err := n.output("grep", "-c", "^from-container", "/proc/mounts"); err != nil || strings.TrimSpace(out) != "1" {
		s.Errorf("the container's mount on the node: %q, %v", out, err)
	}
}

func recursiveReadOnly(s *space) {
	n, dir, remove := nodeDirectory(s, "mkdir sub; mount -t tmpfs tmpfs sub")
	defer remove()
	spec := "nodeName: " + n.name + "\nvolumes: [{name: v, hostPath: {path: " + dir + `}}]
containers:
- name: c
  image: $IMAGE
  command: [/guest, pause]
  volumeMounts: [{name: v, mountPath: /mnt, readOnly: true, recursiveReadOnly: $VALUE}]
`
	s.ready("enabled", strings.ReplaceAll(spec, "$VALUE", "Enabled"))
	s.ready("disabled", strings.ReplaceAll(spec, "$VALUE", "Disabled"))
	s.exec("enabled", "sh", "-c", "! touch /mnt/file 2>/dev/null && ! touch /mnt/sub/file 2>/dev/null")
	s.exec("disabled", "sh", "-c", "! touch /mnt/file 2>/dev/null && touch /mnt/sub/file")
	s.equal("status", s.field("pod/enabled", ".status.containerStatuses[0].volumeMounts[0].recursiveReadOnly"), "Enabled")
	s.equal("the node knows of it", s.field("node/"+n.name, `.status.runtimeHandlers[?(@.name=="`+s.runtime.name+`")].features`),
		`{"recursiveReadOnlyMounts":true,"userNamespaces":true}`)
}

func subPath(s *space) {
	s.kubectl("create", "configmap", "config", "--from-literal=key=value")
	s.ready("p", `volumes:
- {name: v, emptyDir: {}}
- {name: config, configMap: {name: config}}
containers:
- name: c
  image: $IMAGE
  command: [/guest, pause]
  env: [{name: NAME, value: expanded}]
  volumeMounts:
  - {name: v, mountPath: /mnt/one, subPath: one}
  - {name: v, mountPath: /mnt/two, subPathExpr: "two-$(NAME)"}
  - {name: v, mountPath: /mnt/all}
  - {name: config, mountPath: /etc/file, subPath: key}
`)
	s.exec("p", "sh", "-c", "echo x >/mnt/one/file; echo y >/mnt/two/file")
	s.equal("both", s.exec("p", "sh", "-c", "cat /mnt/all/one/file /mnt/all/two-expanded/file"), "x\ny")
	s.equal("a file", s.exec("p", "cat", "/etc/file"), "value")
}

func allVolumes(s *space) {
	s.kubectl("create", "configmap", "config", "--from-literal=key=value")
	s.kubectl("create", "secret", "generic", "secret", "--from-literal=key=hidden")
	s.ready("p", `volumes:
- {name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
- {name: config, configMap: {name: config}}
- {name: secret, secret: {secretName: secret, defaultMode: 0400}}
- {name: down, downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}
containers:
- name: c
  image: $IMAGE
  command: [/guest, pause]
  volumeMounts:
  - {name: memory, mountPath: /mnt/memory}
  - {name: config, mountPath: /mnt/config}
  - {name: secret, mountPath: /mnt/secret}
  - {name: down, mountPath: /mnt/down}
`)
	s.equal("all", s.exec("p", "cat", "/mnt/config/key", "/mnt/secret/key", "/mnt/down/name"), "valuehiddenp")
	s.exec("p", "sh", "-c", "! dd if=/dev/zero of=/mnt/memory/file bs=64k count=32 2>/dev/null")
	// A changed config appears in the container.
	s.kubectl("create", "configmap", "other", "--from-literal=key=value")
	s.kubectl("patch", "configmap", "config", "--patch", `{"data":{"key":"changed"}}`)
	s.kubectl("annotate", "pod", "p", "synchronise=now") // kubelet looks at the pod again.
	s.eventually("the changed config", func() error {
		if out := s.exec("p", "cat", "/mnt/config/key"); out != "changed" {
			return fmt.Errorf("%q", out)
		}
		return nil
	})
}
