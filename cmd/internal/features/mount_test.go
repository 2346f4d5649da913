// SPDX-License-Identifier: Apache-2.0

package features

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// mountOption converts a mount with the options and returns it.
func (c *converter) mountOption(options ...string) *configs.Mount {
	forBind := slices.ContainsFunc(options, isLinkOption)
	plan, complaint := c.convert(func(s *specs.Spec) {
		s.Mounts = []specs.Mount{{Destination: "/mnt", Type: "tmpfs", Source: "/source", Options: options}}
		if forBind {
			s.Mounts[0].Type = "bind"
		}
	})
	if complaint != "" {
		c.t.Errorf("mount option %q: %s", options, complaint)
		return &configs.Mount{}
	}
	if forBind {
		plan.Mounts[0].Flags = 0 // MS_BIND, which the type has set
	}
	return &plan.Mounts[0]
}

// isLinkOption reports whether an option is only for bind mounts.
func isLinkOption(option string) bool {
	return slices.Contains(strings.Fields(mountOptionKinds["link"]), option)
}

// changes returns what the options change in a mount, in the words of mountOptionKinds.
func changes(m *configs.Mount) string {
	var all []string
	for _, c := range []struct {
		name string
		made bool
	}{
		{"set", m.Flags != 0},
		{"clear", m.Cleared != 0},
		{"propagation", len(m.Propagation) != 0},
		{"recursive", m.RecAttrSet|m.RecAttrClear != 0},
		{"copy up", m.CopyUp},
		{"id map", m.IDMap != ""},
		{"link", m.CopySymlink || m.SourceNoFollow || m.DestNoFollow},
		{"data", len(m.Data) != 0},
	} {
		if c.made {
			all = append(all, c.name)
		}
	}
	return strings.Join(all, " and ")
}

// mountOptionKinds has all options of mount(8) and the runtime-spec except those of file systems,
// with what they change.
var mountOptionKinds = map[string]string{
	"": "defaults",
	"set": `bind dirsync iversion lazytime mand noatime nodev nodiratime noexec nosuid nosymfollow rbind relatime remount
		ro silent strictatime sync`,
	"clear":       `async atime dev diratime exec loud noiversion nolazytime nomand norelatime nostrictatime rw suid symfollow`,
	"propagation": `private rprivate shared rshared slave rslave unbindable runbindable`,
	"recursive": `ratime rdev rdiratime rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid
		rnosymfollow rrelatime rro rrw rstrictatime rsuid rsymfollow`,
	"copy up": "tmpcopyup",
	"link":    "copy-symlink src-nofollow dest-nofollow",
	// These are options of file systems, and options that only runc or crun knows.
	"data": `acl noacl rsync rasync rdirsync rmand rnomand size=1m mode=755 rdefaults
		rremount rbindable nobind nodefaults noro noprivate rtmpcopyup user nouser auto noauto nofail Ro`,
}

func TestMountOptionsAreExact(t *testing.T) {
	c := newConverter(t)
	listed := New("1", "").MountOptions
	known := map[string]string{}
	for kind, names := range mountOptionKinds {
		for name := range strings.FieldsSeq(names) {
			known[name] = kind
			if got := changes(c.mountOption(name)); got != kind {
				t.Errorf("mount option %s changes %q, want %q", name, got, kind)
			}
			if slices.Contains(listed, name) != (kind != "data") {
				t.Errorf("mount option %s (%s) is listed: %t", name, kind, kind == "data")
			}
		}
	}
	for _, name := range listed {
		if _, ok := known[name]; !ok {
			t.Errorf("mount option %s is listed but not tested", name)
		}
	}
	for _, name := range variants(listed) {
		if _, ok := known[name]; !ok && changes(c.mountOption(name)) != "data" {
			t.Errorf("mount option %q is accepted but not listed", name)
		}
	}
}

// TestMountOptionsOppose: of two opposite options, one clears the flag that the other
// sets.
func TestMountOptionsOppose(t *testing.T) {
	c := newConverter(t)
	listed := New("1", "").MountOptions
	pairs := map[string]string{"ro": "rw", "rro": "rrw", "sync": "async", "silent": "loud"}
	for _, name := range listed {
		for _, prefix := range []string{"", "r"} {
			positive, ok := strings.CutPrefix(name, prefix+"no")
			if ok && slices.Contains(listed, prefix+positive) {
				pairs[name] = prefix + positive
			}
		}
	}
	if len(pairs) < 20 {
		t.Errorf("only %d pairs: %q", len(pairs), pairs)
	}
	for a, b := range pairs {
		ma, mb := c.mountOption(a), c.mountOption(b)
		switch {
		case ma.Flags != 0 || mb.Flags != 0:
			if ma.Flags != mb.Cleared || ma.Cleared != mb.Flags {
				t.Errorf("%s sets %#x and clears %#x, %s %#x and %#x", a, ma.Flags, ma.Cleared, b, mb.Flags, mb.Cleared)
			}
		case strings.HasSuffix(a, "atime") && !strings.HasSuffix(a, "diratime"):
			// A field with three values: only check that it is the same field.
			if ma.RecAttrClear != mb.RecAttrClear || ma.RecAttrSet == mb.RecAttrSet && a == "rnoatime" {
				t.Errorf("%s: %#x of %#x, %s: %#x of %#x", a, ma.RecAttrSet, ma.RecAttrClear, b, mb.RecAttrSet, mb.RecAttrClear)
			}
		default:
			if ma.RecAttrSet == 0 || ma.RecAttrSet != mb.RecAttrClear {
				t.Errorf("%s sets %#x, %s clears %#x", a, ma.RecAttrSet, b, mb.RecAttrClear)
			}
		}
	}
}

// TestIDMapIsTaken: as in runc, the id-map options are under mountExtensions and not in
// the list.
func TestIDMapIsTaken(t *testing.T) {
	c := newConverter(t)
	f := New("1", "")
	for _, name := range []string{"idmap", "ridmap"} {
		plan, complaint := c.convert(func(s *specs.Spec) {
			ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 10}}
			s.Mounts = []specs.Mount{{
				Destination: "/mnt", Type: "bind", Source: "/source", Options: []string{"bind", name}, UIDMappings: ids, GIDMappings: ids,
			}}
		})
		taken := complaint == "" && plan.Mounts[0].IDMap == name && reflect.DeepEqual(plan.Mounts[0].Data, []string(nil))
		if taken != *f.Linux.MountExtensions.IDMap.Enabled {
			t.Errorf("%s: listed as %t, but: %s", name, *f.Linux.MountExtensions.IDMap.Enabled, complaint)
		}
		if slices.Contains(f.MountOptions, name) {
			t.Errorf("%s is among the mount options", name)
		}
	}
}
