// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// dockerMounts runs containers with volumes.
func dockerMounts(t *testing.T, d *dockerEngine) {
	operation(t, "run --tmpfs", d.op(func(t *T) {
		t.contains("mount", d.run(t, []string{"--tmpfs", "/x:size=1m,mode=1770,uid=1000"}, "sh", "-c", "grep ' /x ' /proc/mounts; stat -c %a:%u /x"),
			"noexec", "nosuid", "nodev", "size=1024k", "1770:1000")
		t.contains("mount", d.run(t, []string{"--mount", "type=tmpfs,target=/y,tmpfs-size=2m,tmpfs-mode=0700"}, "grep", " /y ", "/proc/mounts"), "size=2048k", "mode=700")
		t.contains("mount", d.run(t, []string{"--shm-size", "3m"}, "grep", " /dev/shm ", "/proc/mounts"), "size=3072k")
	}))
	smoke(t, "volumes", d.op(func(t *T) {
		d.do(t, "volume", "create", "data")
		d.run(t, []string{"--volume", "data:/data"}, "sh", "-c", "echo kept >/data/file")
		t.equal("file", d.run(t, []string{"--volume", "data:/data:ro"}, "cat", "/data/file"), "kept")
		r := d.try(t, d.line([]string{"--volume", "data:/data:ro"}, "touch", "/data/x")...)
		t.contains("error", r.err, "Read-only file system")
		// A new volume gets what the image has there.
		t.contains("copied", d.run(t, []string{"--volume", "copy:/etc"}, "ls", "/etc"), "passwd", "group")
	}))
	operation(t, "volumes-from", d.op(func(t *T) {
		d.do(t, "create", "--runtime", d.runtime, "--name", "source", "--volume", "/data", "box", "true")
		d.run(t, []string{"--volumes-from", "source"}, "sh", "-c", "echo kept >/data/file")
		t.equal("file", d.run(t, []string{"--volumes-from", "source"}, "cat", "/data/file"), "kept")
	}))
	operation(t, "volume subpath", d.op(func(t *T) {
		d.since(t, 26, "subpaths of volumes")
		d.run(t, []string{"--volume", "data:/data"}, "sh", "-c", "mkdir /data/sub; echo below >/data/sub/file")
		t.equal("file", d.run(t, []string{"--mount", "type=volume,source=data,target=/x,volume-subpath=sub"}, "cat", "/x/file"), "below")
	}))
	operation(t, "bind propagation", d.op(func(t *T) { bindPropagation(t, d) }))
	operation(t, "bind recursive read-only", d.op(func(t *T) {
		dir := withMountBelow(t)
		write := func(option string) string {
			r := d.try(t, d.line([]string{"--mount", "type=bind,source=" + dir + ",target=/x" + option}, "touch", "/x/below/file")...)
			return r.err
		}
		t.equal("read-write", write(""), "")
		d.since(t, 25, "recursive read-only mounts")
		t.contains("readonly", write(",readonly"), "Read-only file system")
		t.contains("bind-recursive=readonly", write(",readonly,bind-propagation=rprivate,bind-recursive=readonly"), "Read-only file system")
		t.equal("bind-recursive=writable", write(",readonly,bind-recursive=writable"), "")
	}))
	operation(t, "bind non-recursive", d.op(func(t *T) {
		dir := withMountBelow(t)
		option := "bind-recursive=disabled"
		if d.major < 25 {
			option = "bind-nonrecursive"
		}
		t.equal("files", d.run(t, []string{"--mount", "type=bind,source=" + dir + ",target=/x," + option}, "ls", "/x/below"), "")
	}))
	operation(t, "bind a file", d.op(func(t *T) {
		if err := os.WriteFile("/tmp/file", []byte("bound\n"), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
		t.equal("file", d.run(t, []string{"--volume", "/tmp/file:/etc/deep/down:ro"}, "cat", "/etc/deep/down"), "bound")
	}))
	operation(t, "image mounts", d.op(func(t *T) {
		d.since(t, 28, "image mounts")
		got := d.run(t, []string{"--mount", "type=image,source=box,target=/x"}, "sh", "-c", "cat /x/etc/passwd; touch /x/y 2>&1 || true")
		t.contains("output", got, "user:x:1000", "Read-only file system")
	}))
}

// withMountBelow returns a directory with a mount in it.
func withMountBelow(t *T) string {
	dir := "/tmp/above"
	if err := errors.Join(os.MkdirAll(dir+"/below", 0o755), syscall.Mount("tmpfs", dir+"/below", "tmpfs", 0, "")); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		d := errors.Join(syscall.Unmount(dir+"/below", 0), os.RemoveAll(dir))
		if d != nil {
			t.Errorf("%v", d)
		}
	})
	return dir
}

// bindPropagation mounts in the room and in containers, and looks where it is seen.
func bindPropagation(t *T, d *dockerEngine) {
	// In /tmp, which is shared.
	const dir = "/tmp/shared"
	if err := os.MkdirAll(dir+"/m", 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for mode, want := range map[string][2]bool{"rprivate": {false, false}, "rslave": {true, false}, "rshared": {true, true}} {
		id := d.detached(t, append([]string{"--cap-add", "SYS_ADMIN", "--volume", dir + ":/x:" + mode}, unconfined...), "sleep", "1000")
		if err := syscall.Mount("tmpfs", dir+"/m", "tmpfs", 0, ""); err != nil {
			t.Fatalf("%v", err)
		}
		in := d.try(t, "exec", id, "grep", " /x/m ", "/proc/mounts").code == 0
		if err := syscall.Unmount(dir+"/m", 0); err != nil {
			t.Fatalf("%v", err)
		}
		d.do(t, "exec", id, "mount", "-t", "tmpfs", "none", "/x/m")
		out := syscall.Unmount(dir+"/m", 0) == nil
		if got := [2]bool{in, out}; got != want {
			t.Errorf("%s: a mount is seen in the container: %v, and from it: %v", mode, in, out)
		}
		d.do(t, "rm", "--force", id)
	}
}
