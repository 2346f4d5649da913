// SPDX-License-Identifier: Apache-2.0

package features

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/seccomp"
)

// TestNew checks the fields on which engines base decisions.
func TestNew(t *testing.T) {
	for commit, want := range map[string]bool{"": false, "abc": true} {
		a := New("1", commit).Annotations
		if got, ok := a["run.berth.commit"]; ok != want || got != commit {
			t.Errorf("commit %q: %q, %v", commit, got, ok)
		}
		calls, ok := a["run.berth.seccomp.syscalls"]
		if got := slices.Contains(strings.Split(calls, ","), "statmount"); ok != seccomp.Enabled() || got != ok {
			t.Errorf("system calls %q, %v", calls, ok)
		}
	}
	var f struct {
		OCIVersionMin, OCIVersionMax string
		Hooks, MountOptions          []string
		Linux                        struct {
			Namespaces, Capabilities []string
			Cgroup                   struct{ V1, V2, Systemd bool }
			MountExtensions          struct{ IDMap struct{ Enabled bool } }
		}
	}
	text, err := json.Marshal(New("1", ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	if f.OCIVersionMin != "1.0.0" || f.OCIVersionMax != "1.3.0" {
		t.Errorf("versions %s to %s", f.OCIVersionMin, f.OCIVersionMax)
	}
	for _, list := range []struct {
		name string
		got  []string
		want string
	}{
		{"hooks", f.Hooks, "createRuntime"},
		{"mountOptions", f.MountOptions, "rro"},
		{"namespaces", f.Linux.Namespaces, "network"},
		{"capabilities", f.Linux.Capabilities, "CAP_SYS_ADMIN"},
	} {
		if !slices.Contains(list.got, list.want) {
			t.Errorf("%s have no %s: %q", list.name, list.want, list.got)
		}
		if !slices.IsSorted(list.got) && list.name != "hooks" {
			t.Errorf("%s are not sorted", list.name)
		}
	}
	if !f.Linux.MountExtensions.IDMap.Enabled || slices.Contains(f.MountOptions, "idmap") {
		t.Error("idmap is an extension, and not listed as an option")
	}
	if !f.Linux.Cgroup.V1 || !f.Linux.Cgroup.V2 || !f.Linux.Cgroup.Systemd {
		t.Errorf("cgroup %+v", f.Linux.Cgroup)
	}
}
