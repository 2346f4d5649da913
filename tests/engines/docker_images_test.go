// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dockerImages makes images from containers and takes them elsewhere.
func dockerImages(t *testing.T, d *dockerEngine) {
	operation(t, "commit", d.op(func(t *T) { dockerCommit(t, d) }))
	operation(t, "save and load", d.op(func(t *T) {
		makeDelta(t, d)
		id := d.inspect(t, "delta", ".Id")
		d.do(t, "save", "--output", "/tmp/delta.tar", "delta")
		d.do(t, "rmi", "delta")
		d.do(t, "load", "--input", "/tmp/delta.tar")
		t.equal("id", d.inspect(t, "delta", ".Id"), id)
		d.do(t, "save", "--output", "/tmp/delta2.tar", "delta")
		t.equal("archives", strings.Join(archived(t, "/tmp/delta2.tar"), "\n"), strings.Join(archived(t, "/tmp/delta.tar"), "\n"))
		t.equal("file", d.do(t, "run", "--rm", "--runtime", d.runtime, "delta", "cat", "/etc/new"), "new")
		d.do(t, "rmi", "delta")
	}))
	operation(t, "push and pull", d.op(func(t *T) { dockerRegistry(t, d) }))
	operation(t, "build with BuildKit", d.op(func(t *T) {
		if d.major >= 23 && !exists("/usr/libexec/docker/cli-plugins/docker-buildx") {
			t.Skipf("no buildx plugin")
		}
		_ = os.Remove("/tmp/buildkit-calls")
		dir := "testdata/build"
		if d.major < 23 {
			dir = withoutNetwork(t, dir)
		}
		d.build(t, "DOCKER_BUILDKIT=1", dir)
		t.contains("calls of the runtime", read(t, "/tmp/buildkit-calls"), " run ")
	}))
	operation(t, "build with containers of the engine", d.op(func(t *T) {
		d.build(t, "DOCKER_BUILDKIT=0", "testdata/build-old")
	}))
}

// build builds an image, which must be right, and again, which must be the same.
func (d *dockerEngine) build(t *T, env, dir string) {
	t.Helper()
	c := d.command("build", "--build-arg", "WORD=argument", "--tag", "built", dir)
	if env == "DOCKER_BUILDKIT=1" {
		c.args = append(c.args, "--progress", "plain", "--secret", "id=key,src=/etc/hostname")
	}
	c.env = append(c.env, env)
	t.Logf("%s", c.run(t))
	id := d.inspect(t, "built", ".Id")
	t.equal("result", d.do(t, "run", "--rm", "--runtime", d.runtime, "built"), "argument\nfrom the context\nuid=1000(user) gid=1000(user) groups=1000(user),1001(extra)")
	c.run(t)
	t.equal("id of the second build", d.inspect(t, "built", ".Id"), id)
	d.do(t, "rmi", "--force", "built")
	// A failing command fails the build, and is named.
	c.args = append(c.args, "--build-arg", "FAIL=17")
	r := c.try(t)
	if r.code == 0 {
		t.Errorf("a build whose command fails succeeds")
	}
	t.contains("what it says", r.out+r.err, "17")
}

// withoutNetwork returns a copy of a build's directory for the BuildKit of Docker 20, which does
// not know RUN --network.
func withoutNetwork(t *T, dir string) string {
	t.Helper()
	const copied = "/tmp/build"
	t.Cleanup(func() { _ = os.RemoveAll(copied) })
	command{args: []string{"sh", "-ec", `cp -r "$0" "$1"; sed -i /--network/d "$1/Dockerfile"`, dir, copied}}.run(t)
	return copied
}

// makeDelta makes the image delta: box, with a file more, a file less, and one changed.
func makeDelta(t *T, d *dockerEngine) {
	t.Helper()
	id := d.detached(t, nil, "sh", "-c", "echo new >/etc/new; rm /etc/group; echo 'x:x:1::/:/bin/sh' >>/etc/passwd; mkdir -p /opt/dir; ln -s /etc/new /opt/dir/link; chmod 4755 /etc/new")
	t.equal("exit status", d.do(t, "wait", id), "0")
	d.do(t, "commit", "--change", "ENV DELTA=1", id, "delta")
}

func dockerCommit(t *T, d *dockerEngine) {
	makeDelta(t, d)
	layers := func(image string) []string {
		return strings.Fields(strings.Trim(d.inspect(t, image, ".RootFS.Layers"), "[]"))
	}
	base, delta := layers("box"), layers("delta")
	if len(delta) != len(base)+1 || delta[0] != base[0] {
		t.Errorf("layers %v, of the base %v", delta, base)
	}
	got := d.do(t, "run", "--rm", "--runtime", d.runtime, "delta", "sh", "-c",
		"echo $DELTA; stat -c %a /etc/new; cat /opt/dir/link; test -e /etc/group || echo gone; tail -n 1 /etc/passwd")
	t.equal("output", got, "1\n4755\nnew\ngone\nx:x:1::/:/bin/sh")
	// A delta of a delta.
	id := d.do(t, "run", "--detach", "--runtime", d.runtime, "delta", "sh", "-c", "rm -r /opt/dir; echo group >/etc/group")
	d.do(t, "wait", id)
	d.do(t, "commit", id, "delta2")
	t.equal("output", d.do(t, "run", "--rm", "--runtime", d.runtime, "delta2", "sh", "-c", "cat /etc/group; ls /opt"), "group")
	d.do(t, "rm", id)
	d.do(t, "rmi", "delta2")
	d.clear(t)
	d.do(t, "rmi", "delta")
}

// dockerRegistry pushes an image to a registry on loopback, and pulls it by its digest with an
// engine that has nothing.
func dockerRegistry(t *T, d *dockerEngine) {
	makeDelta(t, d)
	config := "version: 0.1\nstorage: {filesystem: {rootdirectory: /tmp/registry}}\nhttp: {addr: '127.0.0.1:5000'}\nlog: {level: warn}\n"
	if err := os.WriteFile("/tmp/registry.yml", []byte(config), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	start(t, "registry", nil, "docker-registry", "serve", "/tmp/registry.yml").ready(t, func() error {
		resp, err := http.Get("http://127.0.0.1:5000/v2/")
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
	const name = "127.0.0.1:5000/delta"
	d.do(t, "tag", "delta", name+":1")
	d.do(t, "push", name+":1")
	digest := strings.Trim(d.inspect(t, name+":1", "index .RepoDigests 0"), "\n")
	id, layers := d.inspect(t, "delta", ".Id"), d.inspect(t, "delta", ".RootFS.Layers")
	d.do(t, "rmi", name+":1", "delta")
	// A dockerd without a bridge would remove the other's.
	command{args: []string{"ip", "link", "add", "other0", "type", "bridge"}}.run(t)
	t.Cleanup(func() { command{args: []string{"ip", "link", "delete", "other0"}}.run(t) })
	other := startDocker(t, "other", map[string]any{
		"data-root": "/var/lib/docker/other", "exec-root": "/run/docker-other", "pidfile": "/run/docker-other.pid",
		"bridge": "other0", "iptables": false,
	})
	other.do(t, "pull", digest)
	t.equal("id", other.inspect(t, digest, ".Id"), id)
	t.equal("layers", other.inspect(t, digest, ".RootFS.Layers"), layers)
	t.equal("digest", other.inspect(t, digest, "index .RepoDigests 0"), digest)
	t.equal("output", other.do(t, "run", "--rm", "--network", "none", "--runtime", other.runtime, digest, "cat", "/etc/new"), "new")
	// Nothing to push: all layers are there, and the digest is the same.
	other.do(t, "tag", digest, name+":2")
	t.contains("push", other.do(t, "push", name+":2"), strings.SplitN(digest, "@", 2)[1])
	other.do(t, "rmi", "--force", id)
}

// archived returns the names and sizes of what an archive of images has, but for times.
func archived(t *T, file string) []string {
	t.Helper()
	dir := file + ".d"
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	command{args: []string{"sh", "-c", `mkdir "$1" && tar -xf "$0" -C "$1"`, file, dir}}.run(t)
	var manifest []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, "manifest.json"))), &manifest); err != nil || len(manifest) != 1 {
		t.Fatalf("manifest.json: %d images: %v", len(manifest), err)
	}
	var sums []string
	for _, name := range append(manifest[0].Layers, manifest[0].Config) {
		sums = append(sums, strings.Fields(command{args: []string{"sha256sum", filepath.Join(dir, name)}}.run(t))[0])
	}
	return sums
}

func read(t reporter, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return string(data)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, os.ErrNotExist)
}

// spareDevice returns a device of the host that no container has by itself. A machine below a room
// has no kernel log.
func spareDevice() string {
	if device := "/dev/kmsg"; exists(device) {
		return device
	}
	return "/dev/fuse"
}
