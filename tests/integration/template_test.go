// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// template makes `spec` write the config.json. The container uses it with two changes: the path
// of its cgroup, and limits that the machine may not be able to raise.
func (c *container) template(options ...string) *container {
	c.t.Helper()
	onlyBerth(c.t)
	if err := os.Remove(c.path("config.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.t.Fatal(err)
	}
	c.command(append([]string{"spec", "--no-tty"}, options...)...).must().silent()
	s := new(specs.Spec)
	readJSON(c.t, c.path("config.json"), s)
	if !c.isRootless() {
		s.Linux.CgroupsPath = c.spec.Linux.CgroupsPath
	}
	s.Process.Rlimits = nil
	c.spec = s
	return c
}

func (c *container) isRootless() bool { return c.credential != nil && c.credential.Uid == userID }

// TestTemplateProcess: the program, its environment and its user.
func TestTemplateProcess(t *testing.T) {
	c := newContainer(t)
	const script = "echo $A-$TERM $0; id -u; id -g; test -t 0 || echo no terminal"
	out := c.template("--args", "/bin/sh", "--args", "-c", "--args", script, "--args", "zero", "--env", "A=1 2", "--env", "TERM=dumb", "--user", "1000:1001").output()
	want(t, "printed", out, "1 2-dumb zero\n1000\n1001\nno terminal")
	want(t, "printed", c.template("--user", "user:root", "--", "/bin/sh", "-c", "id -u; id -g").output(), "1000\n0")
	if c.rootfsHas("/etc/group", "user") {
		want(t, "groups", c.template("--user", "user", "--", "id", "-G").output(), "1000 1001")
	}
}

// rootfsHas reports whether a line of a file in the root file system has a member.
func (c *container) rootfsHas(file, member string) bool {
	return strings.Contains(readFile(c.t, c.rootfs(file)), ":"+member+"\n")
}

// TestTemplateTerminal: on a terminal, run gives the program a terminal.
func TestTemplateTerminal(t *testing.T) {
	c := newContainer(t)
	for option, terminal := range map[string]bool{"--tty": true, "--tty=false": false, "--no-tty": false, "--no-tty=false": true} {
		if err := os.Remove(c.path("config.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		onlyBerth(t)
		c.command("spec", option).must().silent()
		s := new(specs.Spec)
		readJSON(t, c.path("config.json"), s)
		if s.Process.Terminal != terminal {
			t.Errorf("%s: terminal %v", option, s.Process.Terminal)
		}
	}
}

// TestTemplateRootfs: the root file system is the image's. It is read-only unless the option says
// otherwise.
func TestTemplateRootfs(t *testing.T) {
	c := newContainer(t)
	want(t, "read-only", c.template("--", "/bin/sh", "-c", "touch /new 2>/dev/null || echo no").output(), "no")
	want(t, "writable", c.template("--read-only=false", "--", "/bin/sh", "-c", "touch /new && ls /new").output(), "/new")
	if err := os.Symlink("rootfs", c.path("link")); err != nil {
		t.Fatal(err)
	}
	want(t, "by a link", c.template("--rootfs", "link", "--", "echo", "yes").output(), "yes")
	want(t, "root.path", c.spec.Root.Path, "rootfs")
}

// TestTemplateBind: bind mounts of a read-only file, and of a directory on a volume.
func TestTemplateBind(t *testing.T) {
	c := newContainer(t)
	dir := c.volume("data")
	if err := os.WriteFile(c.path("file"), []byte("of the host\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := c.template("--bind", "file:/mnt/a/file:ro", "--bind", dir+":/mnt/b:nosuid", "--",
		"/bin/sh", "-c", "cat /mnt/a/file; { echo x >/mnt/a/file; } 2>/dev/null || echo no; echo y >/mnt/b/new; grep -o 'mnt/b .*nosuid' /proc/self/mounts | grep -c .").output()
	want(t, "printed", out, "of the host\nno\n1")
	want(t, "written", readFile(t, dir+"/new"), "y\n")
}

func TestTemplateLimits(t *testing.T) {
	c := newContainer(t)
	needController(t, "memory")
	needController(t, "cpu")
	c.template("--memory", "32M", "--cpus", "0.25", "--", "/bin/true").create().checkLimits(
		limits{"memory/memory.limit_in_bytes": "33554432", "cpu/cpu.cfs_quota_us": "25000", "cpu/cpu.cfs_period_us": "100000"},
		limits{"memory.max": "33554432", "cpu.max": "25000 100000"})
	c.start().wait()
}

// TestTemplateCapabilities: the first three sets of root have the capability. For another user it
// is also ambient, so that the program has it.
func TestTemplateCapabilities(t *testing.T) {
	const netRaw, none = "0000000000002000", "0000000000000000"
	// ALL means all capabilities that the writer of the config.json has. In a user namespace
	// these are all of the kernel.
	all := "000001ffffffffff"
	if suite.users.name != "inside" {
		_, all, _ = strings.Cut(readFile(t, "/proc/self/status"), "CapBnd:\t")
		all, _, _ = strings.Cut(all, "\n")
	}
	for _, test := range []struct{ user, add, effective, ambient string }{
		{"0", "net_raw", "0000000020002420", none},
		{"1000:1000", "CAP_NET_RAW", netRaw, netRaw},
		{"0", "ALL", all, none},
		{"1000:1000", "ALL", all, all},
	} {
		t.Run(test.user+" "+test.add, func(t *testing.T) {
			c := newContainer(t).template("--user", test.user, "--cap-add", test.add)
			s := c.procStatus()
			want(t, "effective", s["CapEff"], test.effective)
			want(t, "ambient", s["CapAmb"], test.ambient)
		})
	}
}

// TestTemplateNetwork: the host's network, none, and a network made by berth, where ping(8) needs
// the capability: in a new network namespace the kernel permits no group to ping without it
// (net.ipv4.ping_group_range).
func TestTemplateNetwork(t *testing.T) {
	c := newContainer(t)
	ownHost(t)
	ip(t, 0, "link add seen type bridge")
	want(t, "none", c.template("--network", "none", "--", "ls", "/sys/class/net").output(), "lo")
	want(t, "host", squeeze(c.template("--network", "host", "--", "ls", "/sys/class/net").output()), "lo seen")

	const bridge = "bridge=br0,create=true,address=10.88.0.2/24,gateway=10.88.0.1"
	const script = "ping -c 1 -W 5 10.88.0.1 >/dev/null 2>&1 && echo pong"
	want(t, "with the capability", c.template("--network", bridge, "--cap-add", "net_raw", "--", "/bin/sh", "-c", script).output(), "pong")
	c.template("--network", bridge, "--", "/bin/sh", "-c", script)
	c.run().code(1)
	awaitInterfaces(t, "br0 seen")
}

// image creates an OCI image layout with the configuration.
func (c *container) image(config map[string]any) string {
	c.t.Helper()
	write := func(name string, v any) []byte {
		text, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(c.path(name), text, 0o644)
		}
		if err != nil {
			c.t.Fatal(err)
		}
		return text
	}
	if err := os.MkdirAll(c.path("image/blobs/sha256"), 0o755); err != nil {
		c.t.Fatal(err)
	}
	blob := func(mediaType string, v any) map[string]any {
		text := write("image/blob", v)
		sum := fmt.Sprintf("%x", sha256.Sum256(text))
		if err := os.Rename(c.path("image/blob"), c.path("image/blobs/sha256/"+sum)); err != nil {
			c.t.Fatal(err)
		}
		return map[string]any{"mediaType": mediaType, "digest": "sha256:" + sum, "size": len(text)}
	}
	write("image/oci-layout", map[string]any{"imageLayoutVersion": "1.0.0"})
	manifest := blob("application/vnd.oci.image.manifest.v1+json", map[string]any{
		"config": blob("application/vnd.oci.image.config.v1+json", map[string]any{"os": "linux", "architecture": "any", "config": config}),
	})
	manifest["annotations"] = map[string]string{"org.opencontainers.image.ref.name": "latest"}
	write("image/index.json", map[string]any{"manifests": []any{manifest}})
	return "image:latest"
}

// TestTemplateImage: the container runs the program of an image with its directory, environment
// and user, and has a volume with the image's files.
func TestTemplateImage(t *testing.T) {
	c := newContainer(t)
	onlyBerth(t)
	image := c.image(map[string]any{
		"User": "user", "Env": []string{"A=b"}, "WorkingDir": "/home", "Entrypoint": []string{"/bin/sh", "-c"},
		"Cmd":     []string{"pwd; echo $A; id -u; ls /etc/passwd; grep -c ' /etc tmpfs' /proc/self/mounts"},
		"Volumes": map[string]any{"/etc": map[string]any{}}, "Labels": map[string]string{"k": "v"},
	})
	want(t, "printed", c.template("--from-image", image).output(), "/home\nb\n1000\n/etc/passwd\n1")
	want(t, "annotation", c.spec.Annotations["k"], "v")
	want(t, "printed", c.template("--from-image", image, "--user", "0", "--env", "A=c", "--", "/bin/sh", "-c", "id -u; echo $A; pwd").output(), "0\nc\n/home")

	entries, err := os.ReadDir(c.path("image/blobs/sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := c.path("image/blobs/sha256", e.Name())
		text := readFile(t, path)
		if err := os.WriteFile(path, []byte(strings.Replace(text, "linux", "linuz", 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(c.path("config.json")); err != nil {
		t.Fatal(err)
	}
	c.command("spec", "--from-image", image).code(1).fails("--from-image: ", "")
	c.noConfig()
}

func (c *container) noConfig() {
	c.t.Helper()
	if _, err := os.Lstat(c.path("config.json")); !errors.Is(err, fs.ErrNotExist) {
		c.t.Errorf("there is a config.json: %v", err)
	}
}

// TestTemplateRootless: the options together with --rootless, for a user with one id and with
// more.
func TestTemplateRootless(t *testing.T) {
	c := newContainer(t).rootless()
	onlyBerth(t)
	const script = "cat /proc/self/uid_map; ls /sys/class/net; touch /data/new; grep CapEff /proc/self/status; echo $A"
	dir := c.volume("data")
	if err := os.Chown(dir, userID, userID); err != nil {
		t.Fatal(err)
	}
	out := c.template("--rootless", "--network", "none", "--bind", dir+":/data", "--cap-add", "chown", "--env", "A=b", "--", "/bin/sh", "-c", script).output()
	want(t, "printed", squeeze(out), "0 54321 1 lo CapEff: 0000000020000421 b")
	if _, err := os.Stat(dir + "/new"); err != nil {
		t.Error(err)
	}
	if err := os.Remove(c.path("config.json")); err != nil {
		t.Fatal(err)
	}
	c.command("spec", "--rootless", "--subids").code(1).fails("--subids: /etc/subuid has none for uid 54321", "")
	c.command("spec", "--rootless", "--user", "5").code(1).fails(`--user: "5": uid 5 is not mapped`, "")
	c.noConfig()
	subordinate(t)
	out = c.template("--rootless", "--subids", "--user", "5:6", "--", "/bin/sh", "-c", "id -u; cat /proc/self/uid_map /proc/self/gid_map").output()
	want(t, "printed", squeeze(out), "5 0 54321 1 1 100000 65536 0 54321 1 1 100000 65536")
}

// TestTemplateRefuses: the error is one line that names the option and the value, and no file is
// written.
func TestTemplateRefuses(t *testing.T) {
	c := newContainer(t)
	onlyBerth(t)
	for _, options := range [][]string{
		{"--memory", "1xyz"},
		{"--cpus", "1xyz"},
		{"--env", "1xyz"},
		{"--bind", "1xyz"},
		{"--bind", "a:/b:1xyz"},
		{"--user", "1xyz"},
		{"--cap-add", "1xyz"},
		{"--network", "1xyz"},
		{"--from-image", "1xyz"},
		{"--memory", ""},
		{"--rootfs", "config.1xyz/x"},
	} {
		t.Run(strings.Join(options, " "), func(t *testing.T) {
			if err := os.WriteFile(c.path("config.1xyz"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			r := c.command(append([]string{"spec"}, options...)...).code(1)
			if strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, options[0]) || options[1] != "" && !strings.Contains(r.stderr, "1xyz") {
				t.Errorf("stderr %q", r.stderr)
			}
			c.noConfig()
		})
	}
	c.command("spec", "--tty", "--no-tty").code(1).fails("--tty: not together with --no-tty", "")
	c.command("spec", "sh").code(1).fails("stands behind --", "")
	c.command("spec", "--args", "a", "--", "b").code(1).fails(`--args: there is a program behind -- already: ["b"]`, "")
	c.noConfig()
}
