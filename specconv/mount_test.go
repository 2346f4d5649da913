// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/mountoption"
	"github.com/berth-run/berth/specconv/internal/sample"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestMountErrors(t *testing.T) {
	for _, tt := range []struct {
		want   string
		change func(*specs.Spec)
	}{
		{`mounts[0].destination: must not be empty`, func(s *specs.Spec) { s.Mounts[0].Destination = "" }},
		{`mounts[0].destination: must not contain a NUL byte: "/a\x00" (mount field contains null byte)`, func(s *specs.Spec) { s.Mounts[0].Destination = "/a\x00" }},
		{`mounts[0].type: a mount of type proc is no root file system`, func(s *specs.Spec) { s.Mounts[0].Destination = "/a/.." }},
		{`mounts[0].destination: a mount over the root file system itself needs a mount namespace`, func(s *specs.Spec) {
			addMount(s, "bind")
			s.Mounts[0].Destination = "/"
			dropNamespace(s, "mount")
		}},
		{`mounts[0].options: a remount of the root file system itself needs bind: without it, the host's file system would change`, func(s *specs.Spec) {
			addMount(s, "tmpfs", "remount", "ro")
			s.Mounts[0].Destination = "/"
		}},
		{`mounts[0].options: copy-symlink makes a link at the destination, which is the root file system itself`, func(s *specs.Spec) {
			addMount(s, "bind", "copy-symlink")
			s.Mounts[0].Destination = "/."
		}},
		{`mounts[0].options: shared and unbindable are no propagation for the root file system itself: linux.rootfsPropagation is`, func(s *specs.Spec) {
			addMount(s, "bind", "rprivate", "rshared")
			s.Mounts[0].Destination = "/"
		}},
		{`mounts[0].source: must not contain a NUL byte: "\x00" (mount field contains null byte)`, func(s *specs.Spec) { s.Mounts[0].Source = "\x00" }},
		{`mounts[0].type: must not contain a NUL byte: "\x00" (mount field contains null byte)`, func(s *specs.Spec) { s.Mounts[0].Type = "\x00" }},
		{`mounts[0].type: must not be empty`, func(s *specs.Spec) { s.Mounts[0].Type = "" }},
		{`mounts[0].options[1]: must not contain a NUL byte: "\x00"`, func(s *specs.Spec) { addMount(s, "tmpfs", "ro", "\x00") }},
		{`mounts[0].source: must not be empty for a bind mount`, func(s *specs.Spec) { addMount(s, "bind"); s.Mounts[0].Source = "" }},
		{`mounts[0].options: tmpcopyup is only for tmpfs, not for a bind mount`, func(s *specs.Spec) { addMount(s, "bind", "tmpcopyup") }},
		{`mounts[0].options: tmpcopyup is only for tmpfs, not proc`, func(s *specs.Spec) { addMount(s, "proc", "tmpcopyup") }},
		{`mounts[0].options: id-mapped mounts must have both uid and gid mappings specified, or a user namespace to take them from: option "ridmap"`, func(s *specs.Spec) { addMount(s, "bind", "ridmap") }},
		{`mounts[0].options: id-mapped mounts must have both uid and gid mappings specified, or a user namespace to take them from: option "idmap"`, func(s *specs.Spec) { addMount(s, "tmpfs", "idmap") }},
		{`mounts[0].uidMappings: a mount of type proc cannot be id-mapped`, func(s *specs.Spec) { addMount(s, "proc", "idmap") }},
		{`mounts[0].uidMappings: a mount of type cgroup cannot be id-mapped`, func(s *specs.Spec) { addMount(s, "cgroup", "idmap") }},
		{`mounts[0].uidMappings: a remount cannot change the id maps`, func(s *specs.Spec) { addMount(s, "bind", "remount", "idmap") }},
		{"mounts[0].uidMappings: id-mapped mounts must have both uid and gid mappings specified", func(s *specs.Spec) { addMount(s, "bind"); s.Mounts[0].GIDMappings = make([]specs.LinuxIDMapping, 1) }},
		{"mounts[0].gidMappings: id-mapped mounts must have both uid and gid mappings specified", func(s *specs.Spec) { addMount(s, "bind"); s.Mounts[0].UIDMappings = make([]specs.LinuxIDMapping, 1) }},
		{`mounts[0].gidMappings[0].size: must be at least 1`, func(s *specs.Spec) {
			addMount(s, "bind")
			s.Mounts[0].UIDMappings = []specs.LinuxIDMapping{{Size: 1}}
			s.Mounts[0].GIDMappings = []specs.LinuxIDMapping{{Size: 0}}
		}},
	} {
		s := example()
		tt.change(s)
		wantError(t, s, &newBundle(t).Options, tt.want)
	}
}

func TestMountOptions(t *testing.T) {
	const atime = unix.MOUNT_ATTR__ATIME
	for _, tt := range []struct {
		options string
		want    configs.Mount
	}{
		{"", configs.Mount{}},
		{"defaults", configs.Mount{}},
		{"ro,nosuid,nodev,noexec", configs.Mount{Flags: unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC}},
		{"ro,rw", configs.Mount{Cleared: unix.MS_RDONLY}},
		{"rw,ro", configs.Mount{Flags: unix.MS_RDONLY}},
		{"bind,rw", configs.Mount{Flags: unix.MS_BIND, Cleared: unix.MS_RDONLY}},
		{"rbind,suid,dev,exec", configs.Mount{Flags: unix.MS_BIND | unix.MS_REC, Cleared: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC}},
		{"noatime,strictatime", configs.Mount{Flags: unix.MS_NOATIME | unix.MS_STRICTATIME}},
		{"strictatime,relatime,nodiratime", configs.Mount{Flags: unix.MS_STRICTATIME | unix.MS_RELATIME | unix.MS_NODIRATIME}},
		{"noatime,atime,diratime", configs.Mount{Cleared: unix.MS_NOATIME | unix.MS_NODIRATIME}},
		{"norelatime,nostrictatime", configs.Mount{Cleared: unix.MS_RELATIME | unix.MS_STRICTATIME}},
		{"sync,dirsync,mand,iversion,lazytime,silent,nosymfollow,remount", configs.Mount{
			Flags: unix.MS_SYNCHRONOUS | unix.MS_DIRSYNC | unix.MS_MANDLOCK | unix.MS_I_VERSION | unix.MS_LAZYTIME | unix.MS_SILENT | unix.MS_NOSYMFOLLOW | unix.MS_REMOUNT,
		}},
		{"async,nomand,noiversion,nolazytime,loud,symfollow", configs.Mount{
			Cleared: unix.MS_SYNCHRONOUS | unix.MS_MANDLOCK | unix.MS_I_VERSION | unix.MS_LAZYTIME | unix.MS_SILENT | unix.MS_NOSYMFOLLOW,
		}},
		{"rslave,shared", configs.Mount{Propagation: []uintptr{unix.MS_SLAVE | unix.MS_REC, unix.MS_SHARED}}},
		{"private,rprivate,unbindable,runbindable,slave,rshared", configs.Mount{Propagation: []uintptr{
			unix.MS_PRIVATE, unix.MS_PRIVATE | unix.MS_REC, unix.MS_UNBINDABLE, unix.MS_UNBINDABLE | unix.MS_REC, unix.MS_SLAVE, unix.MS_SHARED | unix.MS_REC,
		}}},
		{"rro,rnosuid,rnodev,rnoexec,rnosymfollow,rnodiratime", configs.Mount{
			RecAttrSet: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW | unix.MOUNT_ATTR_NODIRATIME,
		}},
		{"rro,rrw", configs.Mount{RecAttrClear: unix.MOUNT_ATTR_RDONLY}},
		{"rrw,rro", configs.Mount{RecAttrSet: unix.MOUNT_ATTR_RDONLY}},
		{"rsuid,rdev,rexec,rsymfollow,rdiratime", configs.Mount{
			RecAttrClear: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW | unix.MOUNT_ATTR_NODIRATIME,
		}},
		{"rnoatime", configs.Mount{RecAttrSet: unix.MOUNT_ATTR_NOATIME, RecAttrClear: atime}},
		{"rnoatime,rstrictatime", configs.Mount{RecAttrSet: unix.MOUNT_ATTR_STRICTATIME, RecAttrClear: atime}},
		{"rrelatime", configs.Mount{RecAttrClear: atime}},
		{"rnoatime,ratime", configs.Mount{RecAttrClear: atime}},
		{"rnoatime,rnostrictatime,rnorelatime", configs.Mount{RecAttrSet: unix.MOUNT_ATTR_NOATIME, RecAttrClear: atime}},
		{"tmpcopyup,size=1m,mode=755", configs.Mount{CopyUp: true, Data: []string{"size=1m", "mode=755"}}},
		{"idmap,ridmap", configs.Mount{IDMap: "ridmap"}},
		{"acl,,RO", configs.Mount{Data: []string{"acl", "RO"}}},
	} {
		var got configs.Mount
		var options []string
		if tt.options != "" {
			options = strings.Split(tt.options, ",")
		}
		mountoption.Apply(&got, options)
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q:\n got %+v\nwant %+v", tt.options, got, tt.want)
		}
	}
}

// TestKnownMountOptions checks that the table is sorted and has the names of reference
// runtimes.
func TestKnownMountOptions(t *testing.T) {
	if !slices.IsSortedFunc(mountoption.Options[:], func(a, b mountoption.Option) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the table is not sorted")
	}
	want := strings.Fields(`ro rw suid nosuid dev nodev exec noexec sync async dirsync mand nomand atime noatime diratime nodiratime
		relatime norelatime strictatime nostrictatime remount defaults iversion noiversion lazytime nolazytime loud silent symfollow
		nosymfollow bind rbind private rprivate shared rshared slave rslave unbindable runbindable rro rrw rnosuid rsuid rnodev rdev
		rnoexec rexec rnodiratime rdiratime rrelatime rnorelatime rnoatime ratime rstrictatime rnostrictatime rnosymfollow rsymfollow tmpcopyup copy-symlink src-nofollow dest-nofollow`)
	slices.Sort(want)
	if got := mountoption.Known(); !slices.Equal(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
	for _, name := range append(want, "idmap", "ridmap") {
		if o, ok := mountoption.Find(name); !ok || o.Name != name {
			t.Errorf("%q is not found", name)
		}
	}
}

func TestMounts(t *testing.T) {
	r := newBundle(t)
	s := example()
	s.Mounts = []specs.Mount{
		{Destination: "/proc/", Type: "proc", Source: "proc"},
		{Destination: "data/x", Type: "none", Source: "src/../d", Options: []string{"rbind", "rprivate"}},
		{Destination: "/b", Type: "bind", Source: "/host/"},
		{Destination: "/r", Options: []string{"remount", "ro"}},
		{Destination: "/i", Type: "bind", Source: "/i", UIDMappings: []specs.LinuxIDMapping{{HostID: 1, Size: 2}}, GIDMappings: []specs.LinuxIDMapping{{HostID: 3, Size: 4}}},
	}
	plan, err := Convert(s, &r.Options)
	if err != nil {
		t.Fatal(err)
	}
	want := []configs.Mount{
		{Field: "mounts[0]", Destination: "/proc", Type: "proc", Source: "proc"},
		{Field: "mounts[1]", Destination: "/data/x", Type: "bind", Source: filepath.Join(r.Bundle, "d"), Flags: unix.MS_BIND | unix.MS_REC, Propagation: []uintptr{unix.MS_PRIVATE | unix.MS_REC}},
		{Field: "mounts[2]", Destination: "/b", Type: "bind", Source: "/host", Flags: unix.MS_BIND},
		{Field: "mounts[3]", Destination: "/r", Flags: unix.MS_REMOUNT | unix.MS_RDONLY},
		{
			Field: "mounts[4]", Destination: "/i", Type: "bind", Source: "/i", Flags: unix.MS_BIND, IDMap: "idmap",
			UIDMappings: []configs.IDMap{{HostID: 1, Size: 2}}, GIDMappings: []configs.IDMap{{HostID: 3, Size: 4}},
		},
	}
	if !reflect.DeepEqual(plan.Mounts, want) {
		t.Errorf("\n got %+v\nwant %+v", plan.Mounts, want)
	}
	if w := []string{`mounts[1].destination: relative destination path is **deprecated**: "data/x" is taken as "/data/x"`}; !reflect.DeepEqual(r.warnings, w) {
		t.Errorf("warnings %q", r.warnings)
	}
}

func TestPopulateDev(t *testing.T) {
	for _, tt := range []struct {
		mount specs.Mount
		want  bool
	}{
		{specs.Mount{Destination: "/dev", Type: "tmpfs"}, true},
		{specs.Mount{Destination: "/dev/", Source: "/dev", Options: []string{"rbind"}}, false},
		{specs.Mount{Destination: "/x/../dev", Source: "/dev", Type: "bind"}, false},
		{specs.Mount{Destination: "/dev/x", Source: "/dev", Type: "bind"}, true},
	} {
		s := example()
		s.Mounts = []specs.Mount{tt.mount}
		plan, err := Convert(s, &newBundle(t).Options)
		if err != nil || plan.PopulateDev != tt.want {
			t.Errorf("%+v: %v, want %v", tt.mount, err, tt.want)
		}
	}
}

func FuzzMountOptions(f *testing.F) {
	for _, s := range append(mountoption.Known(), "ro,size=1,rw,,rbind", "rnoatime,ratime,rrelatime") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		var m configs.Mount
		first := mountoption.Apply(&m, strings.Split(list, ","))
		if m.Flags&m.Cleared != 0 {
			t.Errorf("%q: both set and cleared: %#x", list, m.Flags&m.Cleared)
		}
		if c := m.RecAttrClear & unix.MOUNT_ATTR__ATIME; c != 0 && c != unix.MOUNT_ATTR__ATIME || c == 0 && m.RecAttrSet&unix.MOUNT_ATTR__ATIME != 0 {
			t.Errorf("%q: a part of the atime field: set %#x, clear %#x", list, m.RecAttrSet, m.RecAttrClear)
		}
		if both := m.RecAttrSet & m.RecAttrClear &^ unix.MOUNT_ATTR__ATIME; both != 0 {
			t.Errorf("%q: attributes both set and cleared: %#x", list, both)
		}
		if (first < 0) != (len(m.Data) == 0) {
			t.Errorf("%q: first data %d of %q", list, first, m.Data)
		}
	})
}

// TestBindMountIgnoresData: what can only be for a file system has no effect.
func TestBindMountIgnoresData(t *testing.T) {
	spec := sample.Example()
	spec.Mounts = []specs.Mount{{Destination: "/mnt", Source: "/tmp", Type: "none", Options: []string{"rbind", "mode=755", "ro", "size=1k"}}}
	bundle := t.TempDir()
	if err := os.Mkdir(filepath.Join(bundle, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	var warnings []string
	cfg, err := Convert(spec, &Options{Bundle: bundle, Warn: func(format string, args ...any) {
		warnings = append(warnings, fmt.Sprintf(format, args...))
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`mounts[0].options[1]: "mode=755" is ignored: bind mounts cannot have any filesystem-specific options applied`,
		`mounts[0].options[3]: "size=1k" is ignored: bind mounts cannot have any filesystem-specific options applied`,
	} {
		if !slices.Contains(warnings, want) {
			t.Errorf("warnings %q, want %q", warnings, want)
		}
	}
	if m := cfg.Mounts[0]; len(m.Data) != 0 || m.Flags&unix.MS_RDONLY == 0 {
		t.Errorf("plan %+v", m)
	}
}

// TestBindMountRefusesData: an unknown option of a bind mount may be a misspelt restriction.
func TestBindMountRefusesData(t *testing.T) {
	for option, want := range map[string]string{
		"fooo":      `unknown option "fooo": bind mounts cannot have any filesystem-specific options applied`,
		"readonly":  `unknown option "readonly" (did you mean "ro"?): bind mounts`,
		"nosiud":    `unknown option "nosiud" (did you mean "nosuid"?): bind mounts`,
		"ro=true":   `unknown option "ro=true" ("ro" takes no value): bind mounts`,
		"nosuids=1": `unknown option "nosuids=1" (did you mean "nosuid"?): bind mounts`,
	} {
		spec := sample.Example()
		spec.Mounts = []specs.Mount{{Destination: "/mnt", Source: "/tmp", Type: "none", Options: []string{"rbind", option}}}
		bundle := t.TempDir()
		if err := os.Mkdir(filepath.Join(bundle, "rootfs"), 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := Convert(spec, &Options{Bundle: bundle})
		if err == nil || !strings.Contains(err.Error(), "mounts[0].options[1]: "+want) {
			t.Errorf("%s: error %v, want %q", option, err, want)
		}
	}
}

// TestMountData shows which options become options of the file system.
func TestMountData(t *testing.T) {
	for _, tt := range []struct {
		options, want []string
	}{
		{[]string{"mode=755", "size=1m"}, []string{"mode=755", "size=1m"}},
		{[]string{"uid=1,gid=2", "ro"}, []string{"uid=1", "gid=2"}},
		{[]string{",,size=1m,"}, []string{"size=1m"}},
		{[]string{`context="a:s0:c1,c2"`, `x="y,z",size=1m`}, []string{`context="a:s0:c1,c2"`, `x="y,z"`, "size=1m"}},
		{[]string{`lowerdir=/a\,b:/c,upperdir=/d`}, []string{`lowerdir=/a\,b:/c`, "upperdir=/d"}},
		{[]string{`x=\`}, []string{`x=\`}},
	} {
		var m configs.Mount
		mountoption.Apply(&m, tt.options)
		if !slices.Equal(m.Data, tt.want) {
			t.Errorf("%q: %q, want %q", tt.options, m.Data, tt.want)
		}
	}
}
