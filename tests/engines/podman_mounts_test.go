// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// testMounts has volumes of all kinds.
func (p *podmanEngine) testMounts(t *testing.T) {
	operation(t, "volume", func(t *T) {
		t.Cleanup(func() { p.do(t, "volume", "rm", "--force", "hold") })
		p.run(t, []string{"--volume", "hold:/hold"}, "sh", "-c", "echo cargo >/hold/file")
		t.equal("the file", p.run(t, []string{"--volume", "hold:/hold:ro"}, "cat", "/hold/file"), "cargo")
		r := p.try(t, "run", "--rm", "--volume", "hold:/hold:ro", "box", "touch", "/hold/a")
		t.contains("what touch says", r.err, "Read-only file system")
	})
	operation(t, "bind mounts", func(t *T) {
		dir := p.directory(t)
		options := []string{"--volume", dir + ":/a:ro,noexec", "--mount", "type=bind,src=" + dir + ",dst=/b,bind-nonrecursive=true", "--mount", "type=tmpfs,dst=/c,tmpfs-size=1m,tmpfs-mode=0700"}
		out := p.run(t, options, "sh", "-c", "echo x >/b/file; cat /a/file; stat -c %a /c; grep ' /a ' /proc/mounts")
		t.contains("in the container", out, "x\n700\n", "noexec", "ro,")
	})
	operation(t, "bind mount with another owner", func(t *T) {
		dir := p.directory(t)
		p.run(t, []string{"--user", "1000", "--volume", dir + ":/a:U"}, "touch", "/a/file")
	})
	operation(t, "overlay mount", func(t *T) {
		dir := p.directory(t)
		t.equal("in the container", p.run(t, []string{"--volume", dir + ":/a:O"}, "sh", "-c", "echo x >/a/file; cat /a/file"), "x")
		if _, err := os.Stat(filepath.Join(dir, "file")); err == nil {
			t.Errorf("the file is in the lower directory")
		}
	})
	operation(t, "image mount", func(t *T) {
		out := p.run(t, []string{"--mount", "type=image,src=box,dst=/image"}, "ls", "/image/bin/busybox")
		t.equal("in the container", out, "/image/bin/busybox")
	})
	operation(t, "mounted subpath", func(t *T) {
		t.Cleanup(func() { p.do(t, "volume", "rm", "--force", "hold") })
		p.run(t, []string{"--volume", "hold:/hold"}, "sh", "-c", "mkdir /hold/sub; echo cargo >/hold/sub/file")
		t.equal("the file", p.run(t, []string{"--mount", "type=volume,src=hold,dst=/a,subpath=/sub"}, "cat", "/a/file"), "cargo")
	})
	operation(t, "mount propagation", func(t *T) { p.propagation(t) })
	operation(t, "idmapped mount", func(t *T) {
		if p.rootless {
			t.Skipf("only root can map a mount of the machine's file system")
		}
		dir := p.directory(t)
		out := p.run(t, []string{"--userns=auto:size=2000", "--mount", "type=bind,src=" + dir + ",dst=/a,idmap"}, "sh", "-c", "touch /a/file; stat -c %u:%g /a /a/file")
		t.equal("owners in the container", out, "0:0\n0:0")
		info, err := os.Stat(filepath.Join(dir, "file"))
		if err != nil {
			t.Fatalf("%v", err)
		}
		t.equal("owner outside", fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid), "0")
	})
	operation(t, "secret", func(t *T) {
		t.Cleanup(func() { p.do(t, "secret", "rm", "word") })
		p.command("secret", "create", "word", "-").stdinOf([]byte("swordfish")).run(t)
		t.equal("in the container", p.run(t, []string{"--secret", "word,uid=1000,mode=0400"}, "sh", "-c", "stat -c %u:%a /run/secrets/word; cat /run/secrets/word"), "1000:400\nswordfish")
	})
	operation(t, "rootfs instead of an image", func(t *T) {
		dir := p.directory(t)
		p.shell("tar", "-x", "-C", dir).stdinOf(boxTar(t)).run(t)
		t.equal("in the container", p.do(t, "run", "--rm", "--env", "PATH=/bin", "--rootfs", dir+":O", "echo", "hello"), "hello")
	})
}

// directory makes a directory for the operation, which is not on an overlay.
func (p *podmanEngine) directory(t *T) string {
	t.Helper()
	base := "/var/lib/containers"
	if p.rootless {
		base = podmanHome
	}
	dir, err := os.MkdirTemp(base, "dir.")
	if err == nil && p.rootless {
		err = os.Chown(dir, podmanUID, podmanUID)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("%v", err)
		}
	})
	return dir
}

// propagation mounts something in a directory that a container has with and without propagation.
func (p *podmanEngine) propagation(t *T) {
	dir := p.directory(t)
	for _, args := range [][]string{{"mount", "--bind", dir, dir}, {"mount", "--make-shared", dir}} {
		command{args: args}.run(t)
	}
	t.Cleanup(func() { command{args: []string{"umount", "--recursive", dir}}.run(t) })
	if err := os.MkdirAll(dir+"/sub", 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	id := p.start(t, []string{"--privileged", "--volume", dir + ":/slave:rslave", "--volume", dir + ":/private:rprivate", "--volume", dir + ":/shared:rshared"}, "sleep", "1000")
	command{args: []string{"mount", "-t", "tmpfs", "outside", dir + "/sub"}}.run(t)
	seen := p.do(t, "exec", id, "cat", "/proc/mounts")
	t.contains("mounts", seen, "outside /slave/sub", "outside /shared/sub")
	if strings.Contains(seen, "outside /private/sub") {
		t.Errorf("the private one changes: %s", seen)
	}
	command{args: []string{"umount", dir + "/sub"}}.run(t)
	if p.rootless {
		return // nothing goes out of the namespaces of an ordinary user
	}
	p.do(t, "exec", id, "mount", "-t", "tmpfs", "inside", "/shared/sub")
	data, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.contains("mounts outside", string(data), "inside "+dir+"/sub")
}
