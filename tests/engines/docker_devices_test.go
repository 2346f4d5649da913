// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// hook mounts something in the container's mount namespace, before its root is changed.
const hook = `#!/bin/sh
set -e
exec 2>/tmp/hook-errors
state=$(tr -d '\n')
pid=$(echo "$state" | sed -E 's/.*"pid": ?([0-9]+).*/\1/')
bundle=$(echo "$state" | sed -E 's/.*"bundle": ?"([^"]+)".*/\1/')
root=$1
[ "${root#/}" != "$root" ] || root=$bundle/$root
nsenter --target "$pid" --mount sh -ec "mkdir -p '$root/usr/gpu'; mount -t tmpfs gpu '$root/usr/gpu'; echo driver >'$root/usr/gpu/library'"
echo "$2" >>/tmp/hooks
`

// addDevice adds a device, a variable and hooks, as the runtimes of GPUs do.
func addDevice(config map[string]any) {
	if config["root"] == nil {
		return // an exec
	}
	root := config["root"].(map[string]any)["path"].(string)
	linux, process := config["linux"].(map[string]any), config["process"].(map[string]any)
	devices, _ := linux["devices"].([]any)
	linux["devices"] = append(devices, map[string]any{"path": "/dev/gpu0", "type": "c", "major": 1, "minor": 5, "fileMode": 0o666})
	resources, _ := linux["resources"].(map[string]any)
	allowed, _ := resources["devices"].([]any)
	resources["devices"] = append(allowed, map[string]any{"allow": true, "type": "c", "major": 1, "minor": 5, "access": "rw"})
	process["env"] = append(process["env"].([]any), "GPU=0")
	hooks := map[string]any{}
	for _, kind := range []string{"prestart", "createRuntime", "poststart", "poststop"} {
		// One that mounts is enough.
		path, args := "/opt/hook", []string{"hook", root, kind}
		if kind != "prestart" {
			path, args = "/bin/sh", []string{"sh", "-c", "cat >/dev/null; echo " + kind + " >>/tmp/hooks"}
		}
		hooks[kind] = []any{map[string]any{"path": path, "args": args, "env": []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}}}
	}
	config["hooks"] = hooks
}

// dockerDevices runs containers with devices.
func dockerDevices(t *testing.T, d *dockerEngine) {
	operation(t, "run --device", d.op(func(t *T) {
		t.equal("node", d.run(t, []string{"--device", "/dev/zero:/dev/other:r"}, "sh", "-c", "stat -c '%t %T %F' /dev/other; head -c 1 /dev/other | od -An -tx1"),
			"1 5 character special file\n 00")
		r := d.try(t, d.line([]string{"--device", "/dev/fuse:/dev/other:r"}, "sh", "-c", "exec 3</dev/other && echo read; exec 3<>/dev/other")...)
		t.contains("opened", r.out, "read")
		t.contains("opened for writing", r.err, "Operation not permitted")
	}))
	operation(t, "run --device-cgroup-rule", d.op(func(t *T) {
		const look = "mknod /dev/f c 10 229 && exec 3<>/dev/f && echo opened"
		if r := d.try(t, d.line(nil, "sh", "-c", look)...); strings.Contains(r.out, "opened") {
			t.Errorf("a device that is not allowed can be opened")
		}
		t.equal("output", d.run(t, []string{"--device-cgroup-rule", "c 10:229 rw"}, "sh", "-c", look), "opened")
	}))
	operation(t, "run with a runtime that injects hooks", d.op(func(t *T) {
		_ = os.Remove("/tmp/hooks")
		t.Cleanup(func() {
			data, _ := os.ReadFile("/tmp/hook-errors")
			t.Logf("the hook says: %s", data)
		})
		out := d.do(t, "run", "--rm", "--runtime", "wrapper", "box", "sh", "-c", "echo $GPU; cat /usr/gpu/library; head -c 1 /dev/gpu0 | od -An -tx1; cat /proc/mounts")
		t.contains("output", out, "0\ndriver\n 00\n", "gpu /usr/gpu tmpfs")
		t.until("all hooks", func() error {
			data, err := os.ReadFile("/tmp/hooks")
			if got := strings.Join(strings.Fields(string(data)), " "); err == nil && got != "prestart createRuntime poststart poststop" {
				err = errors.New(got)
			}
			return err
		})
	}))
	operation(t, "run with a device of CDI", d.op(func(t *T) {
		d.since(t, 28, "CDI without an option")
		spec := `{"cdiVersion": "0.6.0", "kind": "test.local/gpu", "devices": [{"name": "one", "containerEdits": {
			"deviceNodes": [{"path": "/dev/gpu1", "hostPath": "/dev/zero"}], "env": ["GPU=1"],
			"mounts": [{"hostPath": "/etc/hostname", "containerPath": "/usr/gpu/name", "options": ["ro", "bind"]}],
			"hooks": [{"hookName": "createContainer", "path": "/bin/sh", "args": ["sh", "-c", "cat >/tmp/cdi-state"]}]}}]}`
		if err := errors.Join(os.MkdirAll("/etc/cdi", 0o755), os.WriteFile("/etc/cdi/gpu.json", []byte(spec), 0o644)); err != nil {
			t.Fatalf("%v", err)
		}
		t.until("dockerd knows it", func() error {
			if r := d.try(t, d.line([]string{"--device", "test.local/gpu=one"}, "true")...); r.code != 0 {
				return errors.New(r.err)
			}
			return nil
		})
		t.equal("output", d.run(t, []string{"--device", "test.local/gpu=one"}, "sh", "-c", "echo $GPU; cat /usr/gpu/name; head -c 1 /dev/gpu1 | od -An -tx1"), "1\nroom\n 00")
		if _, err := os.Stat("/tmp/cdi-state"); err != nil {
			t.Errorf("the hook has not run: %v", err)
		}
	}))
}
