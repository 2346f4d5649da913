// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"archive/tar"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// dockerEngine is a dockerd with its own containerd.
type dockerEngine struct {
	*daemon
	host string
}

// startDocker starts dockerd, whose configuration is the document's with some settings more.
func startDocker(t *testing.T, name string, settings map[string]any) *dockerEngine {
	t.Helper()
	text, err := snippet("Docker", "json")
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{}
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	for key, value := range settings {
		config[key] = value
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(linkRuntime(), os.MkdirAll("/etc/docker", 0o755), os.WriteFile("/etc/docker/daemon.json", data, 0o644)); err != nil {
		t.Fatal(err)
	}
	d := &dockerEngine{host: "unix:///run/docker-" + name + ".sock"}
	// dockerd leaves its bridge.
	t.Cleanup(func() { _ = exec.Command("ip", "link", "delete", "docker0").Run() })
	d.daemon = start(t, "dockerd-"+name, nil, "dockerd", "--host", d.host)
	d.ready(t, func() error {
		if r := d.try(t, "version"); r.code != 0 {
			return errors.New(r.err)
		}
		return nil
	})
	return d
}

// command returns a command line of docker.
func (d *dockerEngine) command(args ...string) command {
	return command{args: append([]string{"docker"}, args...), env: []string{"DOCKER_HOST=" + d.host}}
}

func (d *dockerEngine) try(t reporter, args ...string) result {
	t.Helper()
	return d.command(args...).try(t)
}

func (d *dockerEngine) do(t reporter, args ...string) string {
	t.Helper()
	return strings.TrimSpace(d.command(args...).run(t))
}

// run runs a command in a container of the runtime under test, with options of docker before it,
// and returns its output.
func (d *dockerEngine) run(t reporter, options []string, args ...string) string {
	t.Helper()
	line := append([]string{"run", "--rm", "--runtime", "berth"}, options...)
	return d.do(t, append(append(line, "box"), args...)...)
}

// importBox makes the image box: busybox and nothing else.
func (d *dockerEngine) importBox(t reporter) {
	t.Helper()
	d.command("import", "--change", `ENV PATH=/bin`, "-", "box").stdinOf(boxTar(t)).run(t)
}

// stdinOf returns the command with that input.
func (c command) stdinOf(data []byte) command {
	c.stdin = string(data)
	return c
}

// boxTar returns a root file system with busybox and links to it.
func boxTar(t reporter) []byte {
	t.Helper()
	box, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatalf("%v", err)
	}
	applets := command{args: []string{"busybox", "--list"}}.run(t)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, data []byte) {
		h.Size, h.Mode = int64(len(data)), cmp.Or(h.Mode, 0o755)
		if err == nil {
			err = w.WriteHeader(&h)
		}
		if err == nil {
			_, err = w.Write(data)
		}
	}
	for _, dir := range []string{"bin", "dev", "etc", "proc", "root", "sys", "var", "run"} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/"}, nil)
	}
	add(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil)
	add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox"}, box)
	for _, applet := range strings.Fields(applets) {
		if applet != "busybox" {
			add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + applet, Linkname: "busybox"}, nil)
		}
	}
	add(tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n"))
	add(tar.Header{Typeflag: tar.TypeReg, Name: "etc/group", Mode: 0o644}, []byte("root:x:0:\nuser:x:1000:\nextra:x:1001:user\n"))
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatalf("busybox's tar: %v", err)
	}
	return b.Bytes()
}

func TestDocker(t *testing.T) {
	inRoom(t)
	d := startDocker(t, "main", nil)
	d.importBox(t)
	smoke(t, "run hello", func(t *T) {
		t.equal("output", d.run(t, nil, "echo", "hello"), "hello")
		if info := d.do(t, "info", "--format", "{{json .Runtimes}}"); !strings.Contains(info, fmt.Sprintf("%q", runtimePath())) {
			t.Errorf("the runtime is not there: %s", info)
		}
	})
	operation(t, "exit 127", func(t *T) {
		r := d.try(t, "run", "--rm", "--runtime", "berth", "box", "/missing")
		t.equal("exit status", fmt.Sprint(r.code), "127")
		t.contains("what docker says", r.err, "/missing", "no such file or directory")
	})
	operation(t, "stop", func(t *T) {
		id := d.run(t, []string{"--detach", "--init"}, "sleep", "1000")
		d.do(t, "stop", id)
		t.until("the container is removed", func() error {
			if r := d.try(t, "inspect", id); r.code == 0 {
				return errors.New("it is there")
			}
			return nil
		})
	})
}
