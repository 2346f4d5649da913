// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestSpec: containers are as docs/performance.md says.
func TestSpec(t *testing.T) {
	rt := &runtimeUnderTest{
		work: t.TempDir(), profile: "../../seccomp/testdata/default.json",
		live: map[string]*container{plain: {id: "x", pid: 4711}},
	}
	for kind, mounts := range map[string]int{plain: 7, docker: 20, pod: 13} {
		s, err := rt.spec(kind, "id", "/bin/true")
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Mounts) != mounts {
			t.Errorf("%s has %d mounts, want %d", kind, len(s.Mounts), mounts)
		}
		if got := s.Linux.Seccomp != nil; got != (kind != plain) {
			t.Errorf("%s has a profile: %v", kind, got)
		}
		for _, ns := range s.Linux.Namespaces {
			want := ""
			if kind == pod && ns.Type == specs.NetworkNamespace {
				want = "/proc/4711/ns/net"
			}
			if ns.Type == specs.NetworkNamespace && ns.Path != want {
				t.Errorf("%s has the network namespace %q, want %q", kind, ns.Path, want)
			}
		}
	}
	rt.profile = "there-is-none"
	if _, err := rt.spec(docker, "id"); err == nil {
		t.Error("a profile that is not there is no error")
	}
}
