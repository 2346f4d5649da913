// SPDX-License-Identifier: Apache-2.0

package template

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/specconv"
	"github.com/berth-run/berth/specconv/internal/sample"
	"github.com/opencontainers/runtime-spec/specs-go"
)

const fullImage = `{"created":"2024-01-02T03:04:05Z","author":"me","architecture":"arm64","variant":"v8","os":"linux","os.version":"6","os.features":["a","b"],
"config":{"User":"web","ExposedPorts":{"80/tcp":{},"53/udp":{}},"Env":["PATH=/bin","LANG=C","LANG=D"],"Entrypoint":["/entry","-x"],"Cmd":["serve"],
"Volumes":{"/var/data":{},"/srv":{}},"WorkingDir":"/work","Labels":{"k":"v","org.opencontainers.image.author":"label","run.oci.hooks.stdout":"/etc/x",
"run.berth.network":"{}","org.systemd.property.CPUWeight":"1","org.criu.config":"/c","run.oci.unknown":"1","":"empty"},"StopSignal":"SIGQUIT"},
"rootfs":{"type":"layers","diff_ids":[]}}`

// TestImage checks the conversion against the image-spec's conversion.md.
func TestImage(t *testing.T) {
	o := newTemplate(t)
	write(t, filepath.Join(o.Bundle, "image"), fullImage)
	var warned []string
	o.Image = "image"
	o.Warn = func(format string, args ...any) { warned = append(warned, fmt.Sprintf(format, args...)) }
	s := o.must(t)
	p := s.Process
	if !slices.Equal(p.Args, []string{"/entry", "-x", "serve"}) || p.Cwd != "/work" || !slices.Equal(p.Env, []string{"PATH=/bin", "TERM=xterm", "LANG=D"}) {
		t.Errorf("args %q, cwd %s, env %q", p.Args, p.Cwd, p.Env)
	}
	if !reflect.DeepEqual(p.User, specs.User{UID: 33, GID: 34, AdditionalGids: []uint32{50}}) || s.Root.Readonly {
		t.Errorf("user %+v, root %+v", p.User, s.Root)
	}
	want := map[string]string{
		"org.opencontainers.image.os": "linux", "org.opencontainers.image.architecture": "arm64", "org.opencontainers.image.variant": "v8",
		"org.opencontainers.image.os.version": "6", "org.opencontainers.image.os.features": "a,b", "org.opencontainers.image.author": "label",
		"org.opencontainers.image.created": "2024-01-02T03:04:05Z", "org.opencontainers.image.stopSignal": "SIGQUIT",
		"org.opencontainers.image.exposedPorts": "53/udp,80/tcp", "k": "v",
	}
	if !maps.Equal(s.Annotations, want) {
		t.Errorf("annotations %q\nwant %q", s.Annotations, want)
	}
	if len(warned) != 6 || !strings.Contains(strings.Join(warned, "\n"), `label "run.oci.hooks.stdout" is left out`) {
		t.Errorf("warned %q", warned)
	}
	volumes := s.Mounts[len(s.Mounts)-2:]
	for i, path := range []string{"/srv", "/var/data"} {
		if m := volumes[i]; m.Destination != path || m.Type != "tmpfs" || !slices.Contains(m.Options, "tmpcopyup") {
			t.Errorf("volume %s: %+v", path, m)
		}
	}
	if _, err := specconv.Convert(s, &specconv.Options{Bundle: o.Bundle}); err != nil {
		t.Errorf("the result cannot be converted: %v", err)
	}
}

// TestImageVolumes: no volume covers a kernel file system of the container.
func TestImageVolumes(t *testing.T) {
	o := newTemplate(t)
	write(t, filepath.Join(o.Bundle, "image"), `{"os":"linux","config":{"Cmd":["x"],"Volumes":{"/proc":{},"a/../sys/fs/":{},"//dev/shm/x":{},"/process":{},"data":{}}}}`)
	o.Image = "image"
	var warned []string
	o.Warn = func(format string, args ...any) { warned = append(warned, fmt.Sprintf(format, args...)) }
	var added []string
	for _, m := range o.must(t).Mounts[len(sample.Example().Mounts):] {
		added = append(added, m.Destination)
	}
	if !slices.Equal(added, []string{"/process", "/data"}) || len(warned) != 3 || !strings.Contains(warned[0], `volume "//dev/shm/x" is left out`) {
		t.Errorf("mounts on %q, warned %q", added, warned)
	}
}

// TestImageIsTheLeast: each option takes precedence over the image.
func TestImageIsTheLeast(t *testing.T) {
	o := newTemplate(t)
	write(t, filepath.Join(o.Bundle, "image"), fullImage)
	yes := true
	o.Image, o.Args, o.Env, o.User, o.ReadOnly, o.Binds = "image", []string{"sh"}, []string{"PATH=/x"}, "0", &yes, []string{"/tmp:/srv/:ro"}
	s := o.must(t)
	p := s.Process
	if !slices.Equal(p.Args, []string{"sh"}) || p.Env[0] != "PATH=/x" || len(p.Env) != 3 || p.User.UID != 0 || !s.Root.Readonly {
		t.Errorf("%+v, root %+v", p, s.Root)
	}
	n := 0
	for _, m := range s.Mounts {
		if m.Destination == "/srv" {
			n++
			if m.Type != "bind" {
				t.Errorf("a volume exists in addition to its bind mount: %+v", m)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d mounts on /srv", n)
	}
}

func TestImageErrors(t *testing.T) {
	o := newTemplate(t)
	o.Image = "image"
	for text, want := range map[string]string{
		``:     "image: line 1, column 1: ",
		`null`: "image: line 1, column 1: ",
		`{}`:   "image: os: must be given; is it the configuration of an image?",
		`{"os":"windows","config":{"Cmd":["x"]}}`: `image: os: the image is for "windows"`,
		`{"os":"linux"}`:                                                                        "the image names no program: add --args",
		`{"os":"linux","config":null}`:                                                          "the image names no program",
		`{"os":"linux","config":{"Cmd":["x"],"Env":["A=1","B"]}}`:                               `image: config.Env[1]: missing '=': "B"`,
		`{"os":"linux","config":{"Cmd":["x"],"User":"nosuch"}}`:                                 `config.User: "nosuch": the root file system's /etc/passwd has no user`,
		`{"os":"linux","config":{"Cmd":["x"],"Volumes":{"/":{}}}}`:                              `image: config.Volumes: "/": a mount over the root`,
		`{"os":"linux","config":{"Cmd":["x"],"Volumes":{"\u0000":{}}}}`:                         `image: config.Volumes: must not contain a NUL byte`,
		`{"os":"linux","config":{"Cmd":["x\u0000"]}}`:                                           `process.args[0]: must not contain a NUL byte`,
		`{"os":"linux","config":{"Cmd":"x"}}`:                                                   `image: line 1, column 31: config.Cmd: expected an array`,
		`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json"}}`: "os: must be given",
	} {
		write(t, filepath.Join(o.Bundle, "image"), text)
		s, err := o.Spec()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %s", text, s, err, want)
		}
	}
}

// TestImageNames: a file, a layout, and a layout with a tag that contains colons.
func TestImageNames(t *testing.T) {
	o := newTemplate(t)
	for _, dir := range []string{"layout", "lay:out"} {
		write(t, filepath.Join(o.Bundle, dir, "oci-layout"), `{"imageLayoutVersion":"1.0.0"}`)
		write(t, filepath.Join(o.Bundle, dir, "index.json"), `{"manifests":[{"annotations":{"org.opencontainers.image.ref.name":"other"}}]}`)
	}
	for image, want := range map[string]string{
		"layout:a:b":                     `no image has the tag "a:b"`,
		"lay:out":                        "is of the media type",
		"lay:out:a:b":                    `no image has the tag "a:b"`,
		o.Bundle + "/layout:docker.io/x": `no image has the tag "docker.io/x"`,
		"nosuch:a":                       "no such file",
		":a":                             "no such file",
	} {
		o.Image = image
		if _, err := o.Spec(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", image, err, want)
		}
	}
}

// FuzzImageConversion: the config made from an image can be converted, or there is an error.
func FuzzImageConversion(f *testing.F) {
	f.Add(fullImage)
	f.Add(`{"os":"linux","config":{"Cmd":["x"],"Labels":{"run.oci.hooks.stderr":"x"}}}`)
	dir := f.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		image := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(image, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := (&Template{Bundle: dir, Dir: dir, Image: image}).Spec()
		if err != nil {
			return
		}
		if _, err := specconv.Convert(s, &specconv.Options{Bundle: dir}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		for key := range s.Annotations {
			if slices.Contains(specconv.KnownAnnotations(), key) {
				t.Errorf("%q: annotation %q", text, key)
			}
		}
	})
}
