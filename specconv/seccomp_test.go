// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestSeccompFailUnknown: as in crun, all values but "0" mean yes.
func TestSeccompFailUnknown(t *testing.T) {
	for value, want := range map[string]bool{"1": true, "": true, "false": true, "0": false} {
		s := example()
		s.Annotations = map[string]string{"run.oci.seccomp_fail_unknown_syscall": value}
		if plan, err := Convert(s, &newBundle(t).Options); err != nil || plan.SeccompKnownOnly != want {
			t.Errorf("%q: %v, %v", value, plan, err)
		}
	}
	if plan, err := Convert(example(), &newBundle(t).Options); err != nil || plan.SeccompKnownOnly {
		t.Errorf("without the annotation: %v, %v", plan, err)
	}
}

func TestSeccompReceiver(t *testing.T) {
	const key = "run.oci.seccomp.receiver"
	for _, c := range []struct {
		name, annotation, field, want, err string
	}{
		{name: "annotation", annotation: "/a", want: "/a"},
		{name: "field wins", annotation: "/a", field: "/f", want: "/f"},
		{name: "relative", annotation: "a", err: `annotations["run.oci.seccomp.receiver"]: not an absolute path: "a"`},
		{name: "NUL", annotation: "/a\x00", err: `annotations["run.oci.seccomp.receiver"]: must not contain a NUL byte: "/a\x00"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := example()
			s.Annotations = map[string]string{key: c.annotation}
			s.Linux.Seccomp = &specs.LinuxSeccomp{ListenerPath: c.field}
			plan, err := Convert(s, &newBundle(t).Options)
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Errorf("error %v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if plan.Seccomp.ListenerPath != c.want {
				t.Errorf("listenerPath %q, want %q", plan.Seccomp.ListenerPath, c.want)
			}
			if s.Linux.Seccomp.ListenerPath != c.field {
				t.Error("the spec was changed")
			}
		})
	}
	s := example()
	s.Annotations = map[string]string{key: "/a"}
	if plan, err := Convert(s, &newBundle(t).Options); err != nil || plan.Seccomp != nil {
		t.Errorf("without a profile: %v, %v", plan, err)
	}
}
