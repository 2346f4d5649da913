// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/berth-run/berth/specconv/internal/document"
	"github.com/berth-run/berth/specconv/internal/sample"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestLoadErrors(t *testing.T) {
	for _, tt := range []struct {
		name, want string // %s is the file
		prepare    func(file string) error
	}{
		{"missing", "JSON specification file config.json not found: %s", func(string) error { return nil }},
		{"directory", "read %s: is a directory", func(f string) error { return os.Mkdir(f, 0o755) }},
		{"fifo", "%s: not a regular file", func(f string) error { return unix.Mkfifo(f, 0o644) }},
		{"link loop", "open %s: too many levels of symbolic links", func(f string) error { return os.Symlink("config.json", f) }},
		{"huge", "%s: 33554433 bytes, more than the 32 MiB that a config may have", func(f string) error {
			if err := os.WriteFile(f, nil, 0o644); err != nil {
				return err
			}
			return os.Truncate(f, document.MaxConfigSize+1)
		}},
		{"empty", "config.json: line 1, column 1: unexpected end of the file, expected a value", func(f string) error { return os.WriteFile(f, nil, 0o644) }},
		{"broken", "config.json: line 3, column 17: invalid character '}', expected a value", func(f string) error {
			return os.WriteFile(f, []byte("{\n  \"process\": {\n    \"terminal\": }\n"), 0o644)
		}},
		{"wrong type", "config.json: line 2, column 23: process.args: expected an array of strings, found a number", func(f string) error {
			return os.WriteFile(f, []byte("{\n  \"process\": {\"args\": 5}\n}"), 0o644)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "config.json")
			if err := tt.prepare(file); err != nil {
				t.Fatal(err)
			}
			_, _, err := Load(dir, nil)
			if want := strings.ReplaceAll(tt.want, "%s", file); err == nil || err.Error() != want {
				t.Errorf("\n got %v\nwant %s", err, want)
			}
		})
	}
	// Its reported size is 0.
	if s, err := readConfig("/proc/self/status"); err != nil || !strings.Contains(s, "Pid:") {
		t.Errorf("a file of procfs: %q, %v", s, err)
	}
}

// TestLoadProcessFromPipe: a FIFO whose writer comes later, and is slow.
func TestLoadProcessFromPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "process.json")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	document := `{"cwd": "/", "args": ["` + strings.Repeat("x", 100_000) + `"]}`
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(path, []byte(document), 0) }()
	p, err := LoadProcess(path, nil)
	if err != nil || len(p.Args) != 1 || len(p.Args[0]) != 100_000 {
		t.Errorf("process %+v, %v", p, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	if _, err := LoadProcess(t.TempDir(), nil); err == nil || !strings.HasSuffix(err.Error(), ": is a directory") {
		t.Errorf("a directory: error %v", err)
	}
}

// TestRealConfigs loads and converts configs written by other programs.
func TestRealConfigs(t *testing.T) {
	for _, tt := range []struct {
		name     string
		warnings []string
		check    func(t *testing.T, s *specs.Spec)
	}{
		{"runc.json", []string{`process.capabilities.ambient: can't raise ambient capability CAP_KILL, CAP_NET_BIND_SERVICE, CAP_AUDIT_WRITE: ignored, because not both permitted and inheritable`}, nil},
		{"docker.json", nil, nil},
		{"podman.json", nil, func(t *testing.T, s *specs.Spec) {
			if s.Linux.Namespaces[1].Path != "/run/netns/netns-5d0e" || *s.Linux.Resources.BlockIO.WeightDevice[0].Weight != 100 {
				t.Error("something was lost")
			}
			// This path does not exist here, but sysctls of the network are set.
			s.Linux.Namespaces[1].Path = "/proc/self/ns/uts"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newBundle(t)
			document, err := os.ReadFile(filepath.Join("testdata", tt.name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(r.Bundle, "config.json"), document, 0o644); err != nil {
				t.Fatal(err)
			}
			spec, _, err := Load(r.Bundle, nil)
			if err != nil {
				t.Fatal(err)
			}
			var want specs.Spec
			if err := json.Unmarshal(document, &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(spec, &want) {
				t.Error("Load differs from encoding/json")
			}
			spec.Root.Path = "rootfs"
			if tt.check != nil {
				tt.check(t, spec)
			}
			if _, err := Convert(spec, &r.Options); err != nil {
				t.Error(err)
			}
			if !reflect.DeepEqual(r.warnings, tt.warnings) {
				t.Errorf("warnings %q", r.warnings)
			}
		})
	}
}

func TestExample(t *testing.T) {
	r := newBundle(t)
	write := func(s *specs.Spec) *specs.Spec {
		b, err := json.MarshalIndent(s, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.Bundle, "config.json"), b, 0o644); err != nil {
			t.Fatal(err)
		}
		again, _, err := Load(r.Bundle, nil)
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	s := sample.Example()
	if again := write(s); !reflect.DeepEqual(s, again) {
		t.Error("the template changes when it is written and read")
	}
	if _, err := Convert(s, &r.Options); err != nil || r.warnings != nil {
		t.Errorf("the template: %v, %q", err, r.warnings)
	}
	sample.ToRootless(s, 1000, 2000)
	r.Rootless = true
	plan, err := convert(write(s), &r.Options, 1000)
	if err != nil || r.warnings != nil {
		t.Fatalf("the rootless template: %v, %q", err, r.warnings)
	}
	if plan.UIDMappings[0].HostID != 1000 || plan.GIDMappings[0].HostID != 2000 {
		t.Errorf("id maps %v, %v", plan.UIDMappings, plan.GIDMappings)
	}
	sys, cgroup := plan.Mounts[5], plan.Mounts[6]
	if sys.Destination != "/sys" || !sys.IsBind() || s.Linux.Resources != nil {
		t.Errorf("mounts %+v", plan.Mounts)
	}
	// If their cover is unmounted they are still read-only, if the kernel supports it.
	if sample.HaveRecursive() != (sys.RecAttrSet&unix.MOUNT_ATTR_RDONLY != 0) || sys.Flags&unix.MS_RDONLY == 0 {
		t.Errorf("/sys is %+v", sys)
	}
	if cgroup.Destination != "/sys/fs/cgroup" || cgroup.Flags&unix.MS_RDONLY == 0 {
		t.Errorf("the cgroups that come with /sys are not covered: %+v", cgroup)
	}
}

// FuzzConvert: no document may cause a panic, and a plan keeps those promises that are easy to
// check.
func FuzzConvert(f *testing.F) {
	for _, name := range []string{"runc.json", "fuzz.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	bundle := newBundle(f).Bundle
	f.Fuzz(func(t *testing.T, document []byte) {
		if err := os.WriteFile(filepath.Join(bundle, "config.json"), document, 0o644); err != nil {
			t.Fatal(err)
		}
		spec, _, err := Load(bundle, nil)
		if err != nil {
			return
		}
		if spec.Root != nil {
			spec.Root.Path = "rootfs"
		}
		plan, err := Convert(spec, &Options{Bundle: bundle, Warn: func(string, ...any) {}})
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		if len(plan.Process.Args) == 0 || !filepath.IsAbs(plan.Process.Cwd) {
			t.Errorf("process %+v", plan.Process)
		}
		for _, m := range plan.Mounts {
			if filepath.Clean(m.Destination) != m.Destination || !filepath.IsAbs(m.Destination) || m.Destination == "/" || m.IsBind() && (!filepath.IsAbs(m.Source) || m.Data != nil) {
				t.Errorf("mount %+v", m)
			}
		}
		for _, p := range append(plan.MaskedPaths, plan.ReadonlyPaths...) {
			if filepath.Clean(p) != p || !filepath.IsAbs(p) {
				t.Errorf("path %q", p)
			}
		}
	})
}

func BenchmarkLoadConvert(b *testing.B) {
	for _, name := range []string{"runc.json", "docker.json", "podman.json"} {
		b.Run(name, func(b *testing.B) {
			r := newBundle(b)
			document, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(r.Bundle, "config.json"), document, 0o644); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				spec, _, err := Load(r.Bundle, nil)
				if err != nil {
					b.Fatal(err)
				}
				spec.Root.Path, spec.Linux.Sysctl = "rootfs", nil
				if _, err := Convert(spec, &Options{Bundle: r.Bundle}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
