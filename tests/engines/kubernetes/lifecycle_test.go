// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

func probes() []operation {
	return []operation{
		{"probes by exec", execProbes},
		{"hooks", hooks},
		{"a bad command", badCommand},
	}
}

func lifecycles() []operation {
	return []operation{
		{"init and sidecar containers", sidecars},
		{"ephemeral debug container", ephemeral},
		{"shareProcessNamespace", sharedProcesses},
		{"grace period", gracePeriod},
		{"stop signal", stopSignal},
		{"10 containers in a pod", tenContainers},
		{"host namespaces", hostNamespaces},
	}
}

func execProbes(s *space) {
	s.pod("p", `containers:
- name: c
  image: $IMAGE
  command: [sh, -c, "touch /tmp/started; exec /guest pause"]
  startupProbe: {exec: {command: [test, -e, /tmp/started]}, $PERIOD}
  readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, $PERIOD}
  livenessProbe: {exec: {command: [sh, -c, "! test -e /tmp/dead"]}, $PERIOD, failureThreshold: 1}
`)
	s.wait("jsonpath={.status.containerStatuses[0].started}=true", "pod/p")
	s.equal("ready before", s.field("pod/p", ".status.containerStatuses[0].ready"), "false")
	s.exec("p", "touch", "/tmp/ready")
	s.wait("condition=Ready", "pod/p")
	s.exec("p", "rm", "/tmp/ready")
	s.wait("condition=Ready=false", "pod/p")
	s.exec("p", "touch", "/tmp/dead")
	s.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/p")
	// A probe that takes too long fails, and its process goes.
	s.pod("slow", `containers:
- name: c
  image: $IMAGE
  command: [/guest, pause]
  readinessProbe: {exec: {command: [sleep, "1000"]}, periodSeconds: 1, timeoutSeconds: 1}
`)
	s.eventually("the event of the slow probe", func() error {
		if out := s.kubectl("get", "events", "--field-selector", "involvedObject.name=slow"); !strings.Contains(out, "timed out") {
			return errors.New(out)
		}
		return nil
	})
	s.eventually("no process of the slow probes", func() error {
		// One may be running.
		if out := s.exec("slow", "sh", "-c", "ps | grep -c '[s]leep 1000' || true"); strings.TrimSpace(out) > "1" {
			return errors.New(out)
		}
		return nil
	})
}

func hooks(s *space) {
	s.ready("p", `terminationGracePeriodSeconds: 20
volumes: [{name: v, hostPath: {path: /run/`+s.name+`, type: DirectoryOrCreate}}]
containers:
- name: c
  image: $IMAGE
  command: [/guest, pause]
  volumeMounts: [{name: v, mountPath: /mnt}]
  lifecycle:
    postStart: {exec: {command: [sh, -c, "echo started >/mnt/hooks"]}}
    preStop: {exec: {command: [sh, -c, "echo stopping >>/mnt/hooks"]}}
`)
	s.equal("postStart", s.exec("p", "cat", "/mnt/hooks"), "started")
	n := s.nodeOf("p")
	s.kubectl("delete", "pod", "p")
	out, err := n.output("cat", "/run/"+s.name+"/hooks")
	if err != nil {
		s.Fatal(err)
	}
	s.equal("hooks", out, "started\nstopping")
	if err := n.command("rm", "-r", "/run/"+s.name); err != nil {
		s.Error(err)
	}
}

func badCommand(s *space) {
	for name, command := range map[string]string{
		"missing": "/no/such/program", "nopath": "nosuchprogram", "directory": "/etc", "data": "/etc/passwd",
	} {
		s.pod(name, "restartPolicy: Never\ncontainers:\n- {name: c, image: $IMAGE, command: ["+command+"]}\n")
	}
	for name, text := range map[string]string{
		"missing":   `exec: "/no/such/program": stat /no/such/program: no such file or directory`,
		"nopath":    `exec: "nosuchprogram": executable file not found in $PATH`,
		"directory": `exec: "/etc": is a directory`,
		"data":      `exec: "/etc/passwd": permission denied`,
	} {
		s.wait("jsonpath={.status.phase}=Failed", "pod/"+name)
		s.equal("reason of "+name, s.field("pod/"+name, ".status.containerStatuses[0].state.terminated.reason"), "StartError")
		s.contains("message of "+name, s.field("pod/"+name, ".status.containerStatuses[0].state.terminated.message"), text)
		s.equal("exit code of "+name, s.field("pod/"+name, ".status.containerStatuses[0].state.terminated.exitCode"), "128")
		s.eventually("event of "+name, func() error {
			if out := s.kubectl("get", "events", "--field-selector", "involvedObject.name="+name); !strings.Contains(out, text) {
				return errors.New(out)
			}
			return nil
		})
	}
}

func sidecars(s *space) {
	s.pod("p", `restartPolicy: Never
volumes: [{name: v, emptyDir: {}}]
initContainers:
- {name: first, image: $IMAGE, command: [sh, -c, "echo first >>/mnt/order"], volumeMounts: [{name: v, mountPath: /mnt}]}
- name: sidecar
  image: $IMAGE
  restartPolicy: Always
  command: [sh, -c, "echo sidecar >>/mnt/order; exec /guest signals /mnt/order"]
  startupProbe: {exec: {command: [grep, sidecar, /mnt/order]}, $PERIOD}
  volumeMounts: [{name: v, mountPath: /mnt}]
containers:
- {name: c, image: $IMAGE, command: [sh, -c, "echo main >>/mnt/order; cat /mnt/order"], volumeMounts: [{name: v, mountPath: /mnt}]}
`)
	// The sidecar does not keep the pod from succeeding.
	s.wait("jsonpath={.status.phase}=Succeeded", "pod/p")
	s.equal("order", s.kubectl("logs", "p", "-c", "c"), "first\nsidecar\nmain")
}

func ephemeral(s *space) {
	s.ready("p", `containers:
- {name: target, image: $IMAGE, command: [/guest, signals, /tmp/signals]}
`)
	s.kubectl("debug", "p", "--image="+busybox2, "--target=target", "--container=debug", "--profile=general",
		"--", "sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '; cat /proc/1/root/etc/passwd; sleep 1000")
	s.wait("jsonpath={.status.ephemeralContainerStatuses[0].state.running.startedAt}", "pod/p")
	s.eventually("the target's process is in the debug container", func() error {
		out := s.kubectl("logs", "p", "-c", "debug")
		if !strings.Contains(out, "/guest signals") || !strings.Contains(out, "user:x:1000") {
			return errors.New(out)
		}
		return nil
	})
	s.contains("exec in the debug container", s.kubectl("exec", "p", "-c", "debug", "--", "ps"), "/guest signals")
}

func sharedProcesses(s *space) {
	s.ready("p", `shareProcessNamespace: true
containers:
- {name: one, image: $IMAGE, command: [/guest, signals, /tmp/signals]}
- {name: two, image: $IMAGE, command: [sh, -c, "sleep 1000 & sleep 1001"]}
`)
	ps := s.kubectl("exec", "p", "-c", "one", "--", "ps")
	s.contains("first process", ps, "guest pause")
	s.contains("the other container", ps, "sleep 1001")
	// A container in the pod's pid namespace is ended by signals to all of its processes.
	s.kubectl("exec", "p", "-c", "one", "--", "sh", "-c", "kill $(ps | grep '[s]leep 1001' | awk '{ print $1 }')")
	s.wait("jsonpath={.status.containerStatuses[1].restartCount}=1", "pod/p")
	s.eventually("the first container's child is gone, the second's is there", func() error {
		if out := s.kubectl("exec", "p", "-c", "one", "--", "sh", "-c", "ps | grep '[s]leep 1000'"); strings.Count(out, "\n") != 1 {
			return fmt.Errorf("%q", out)
		}
		return nil
	})
}

func gracePeriod(s *space) {
	const volume = "volumes: [{name: v, hostPath: {path: /run/$SPACE, type: DirectoryOrCreate}}]\n"
	spec := strings.ReplaceAll(volume, "$SPACE", s.name)
	// One heeds SIGTERM, and goes long before its time.
	s.ready("heeds", "terminationGracePeriodSeconds: 60\n"+spec+`containers:
- {name: c, image: $IMAGE, command: [/guest, signals, /mnt/signals], volumeMounts: [{name: v, mountPath: /mnt}]}
`)
	// The other ignores it, and is killed.
	s.ready("ignores", `terminationGracePeriodSeconds: 3
containers:
- {name: c, image: $IMAGE, command: [sh, -c, "trap '' TERM; while :; do sleep 1; done"]}
`)
	n := s.nodeOf("heeds")
	began := time.Now()
	s.kubectl("delete", "pod", "heeds", patience())
	if took := time.Since(began); took > 40*time.Second {
		s.Errorf("a pod that heeds SIGTERM took %v", took)
	}
	out, err := n.output("cat", "/run/"+s.name+"/signals")
	if err != nil {
		s.Fatal(err)
	}
	s.equal("signals", out, "terminated")
	began = time.Now()
	s.kubectl("delete", "pod", "ignores", patience())
	if took := time.Since(began); took < 3*time.Second {
		s.Errorf("a pod that ignores SIGTERM took only %v", took)
	}
	if err := n.command("rm", "-r", "/run/"+s.name); err != nil {
		s.Error(err)
	}
}

func stopSignal(s *space) {
	s.ready("p", `terminationGracePeriodSeconds: 60
os: {name: linux}
volumes: [{name: v, hostPath: {path: /run/`+s.name+`, type: DirectoryOrCreate}}]
containers:
- {name: c, image: $IMAGE, command: [/guest, signals, /mnt/signals], lifecycle: {stopSignal: SIGUSR1}, volumeMounts: [{name: v, mountPath: /mnt}]}
`)
	n := s.nodeOf("p")
	s.kubectl("delete", "pod", "p", patience())
	out, err := n.output("cat", "/run/"+s.name+"/signals")
	if err != nil {
		s.Fatal(err)
	}
	s.equal("signals", out, "user defined signal 1")
	if err := n.command("rm", "-r", "/run/"+s.name); err != nil {
		s.Error(err)
	}
}

func tenContainers(s *space) {
	var spec strings.Builder
	spec.WriteString("containers:\n")
	for i := range 10 {
		fmt.Fprintf(&spec, "- {name: c%d, image: $IMAGE, command: [/guest, pause]}\n", i)
	}
	s.ready("p", spec.String())
	for i := range 10 {
		s.equal("exec", s.kubectl("exec", "p", "-c", fmt.Sprintf("c%d", i), "--", "echo", "here"), "here")
	}
}

func hostNamespaces(s *space) {
	s.ready("p", `hostNetwork: true
hostPID: true
hostIPC: true
containers:
- {name: c, image: $IMAGE, command: [/guest, pause], securityContext: {privileged: true}}
`)
	n := s.nodeOf("p")
	s.contains("network", s.exec("p", "ip", "address"), n.address())
	s.contains("processes", s.exec("p", "ps"), "kubelet")
	// Privileged means all capabilities that there are, all devices, and a writable /sys.
	s.exec("p", "sh", "-c", "test -e /dev/kmsg && mount -t tmpfs none /mnt && umount /mnt")
	s.contains("sys", s.exec("p", "grep", " /sys sysfs ", "/proc/mounts"), " rw,")
	s.equal("host's name", s.exec("p", "hostname"), n.name)
}
