// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestEnds(t *testing.T) {
	names := []string{"read", "write", "close", "no_such_call"}
	for _, test := range []struct {
		name    string
		profile *specs.LinuxSeccomp
		want    []string
	}{
		{"one", &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"write"}, Action: specs.ActKillProcess},
		}}, []string{"write"}},
		{"all but one", &specs.LinuxSeccomp{DefaultAction: specs.ActKillThread, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"write", "statmount"}, Action: specs.ActAllow}, // newer calls get ENOSYS
		}}, []string{"read", "close"}},
		{"errors end nobody", &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read"}, Action: specs.ActTrap},
		}}, []string{"read"}},
		{"none", &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"mount"}, Action: specs.ActKill},
		}}, nil},
	} {
		p, err := Compile(test.profile)
		if err != nil {
			t.Fatal(err)
		}
		if got := Ends(p.BPF, names...); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	for _, filter := range [][]byte{nil, make([]byte, 7), make([]byte, 16)} {
		if got := Ends(filter, names...); got != nil {
			t.Errorf("filter of %d bytes: %v", len(filter), got)
		}
	}
}
