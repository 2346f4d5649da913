// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/berth-run/berth/seccomp/internal/bpf"
	"github.com/berth-run/berth/seccomp/internal/filter"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func parseProfile(t testing.TB, text string) *specs.LinuxSeccomp {
	t.Helper()
	p := new(specs.LinuxSeccomp)
	if err := json.Unmarshal([]byte(text), p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNewRequest(t *testing.T) {
	for _, c := range []struct {
		name, profile string
		want          request
	}{
		{
			"defaults to EPERM", `{"defaultAction":"SCMP_ACT_ERRNO"}`,
			request{def: 0x50001, stub: true},
		},
		{
			"errno", `{"defaultAction":"SCMP_ACT_TRACE","defaultErrnoRet":65535,
			"syscalls":[{"names":["a"],"action":"SCMP_ACT_ERRNO","errnoRet":0}]}`,
			request{def: 0x7ff0ffff, rules: []rule{{action: 0x50000, names: []string{"a"}}}},
		},
		{
			"ENOSYS already", `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38}`,
			request{def: 0x50026},
		},
		{
			"notify as the default", `{"defaultAction":"SCMP_ACT_NOTIFY","listenerPath":"/a",
			"syscalls":[{"names":["write"],"action":"SCMP_ACT_NOTIFY"}]}`,
			request{def: 0x7fc00000, rules: []rule{{action: 0x7fc00000, names: []string{"write"}}}},
		},
		{
			"kill is kill thread", `{"defaultAction":"SCMP_ACT_KILL"}`,
			request{def: 0, stub: true},
		},
		{
			"architectures in any order", `{"defaultAction":"SCMP_ACT_ALLOW",
			"architectures":["SCMP_ARCH_X86","SCMP_ARCH_ARM","SCMP_ARCH_X86"]}`,
			request{def: 0x7fff0000, archs: []string{"SCMP_ARCH_ARM", "SCMP_ARCH_X86"}},
		},
		{
			"all checks in one rule", `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a","b"],"action":"SCMP_ACT_LOG",
			"args":[{"index":5,"value":1,"valueTwo":7,"op":"SCMP_CMP_LT"},{"index":0,"value":6,"valueTwo":3,"op":"SCMP_CMP_MASKED_EQ"}]}]}`,
			request{def: 0x7fff0000, rules: []rule{{
				action: 0x7ffc0000, names: []string{"a", "b"},
				args: []filter.Arg{{Index: 5, Op: filter.LessThan, Value: 1}, {Index: 0, Op: filter.MaskedEqual, Value: 6, ValueTwo: 2}},
			}}},
		},
		{
			"an argument twice", `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"],"action":"SCMP_ACT_LOG"},
			{"names":["a"],"action":"SCMP_ACT_TRAP","args":[{"index":1,"value":1,"op":"SCMP_CMP_EQ"},{"index":1,"value":2,"op":"SCMP_CMP_NE"}]}]}`,
			request{def: 0x7fff0000, rules: []rule{
				{action: 0x7ffc0000, names: []string{"x"}},
				{action: 0x30000, names: []string{"a"}, args: []filter.Arg{{Index: 1, Op: filter.Equal, Value: 1}}},
				{action: 0x30000, names: []string{"a"}, args: []filter.Arg{{Index: 1, Op: filter.NotEqual, Value: 2}}},
			}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := newRequest(parseProfile(t, c.profile))
			if err != nil {
				t.Fatal(err)
			}
			if len(got.rules) == 0 {
				got.rules = nil
			}
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("got  %+v\nwant %+v", *got, c.want)
			}
		})
	}
}

func TestNewRequestErrors(t *testing.T) {
	rule := func(text string) string {
		return `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG"},` + text + `]}`
	}
	for _, c := range []struct{ profile, want string }{
		{`{"syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG"}]}`, "linux.seccomp.defaultAction: string  is not a valid action for seccomp"},
		{`{"defaultAction":"ALLOW"}`, "linux.seccomp.defaultAction: string ALLOW is not a valid action for seccomp"},
		{`{"defaultAction":"SCMP_ACT_NOTIFY"}`, "linux.seccomp.listenerPath: seccomp listenerPath is not set, but defaultAction is SCMP_ACT_NOTIFY"},
		{`{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1}`, `linux.seccomp.defaultErrnoRet: action SCMP_ACT_ALLOW has no error number`},
		{`{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":4096}`, `linux.seccomp.defaultErrnoRet: 4096 is above 4095`},
		{`{"defaultAction":"SCMP_ACT_TRACE","defaultErrnoRet":65536}`, `linux.seccomp.defaultErrnoRet: 65536 is above 65535`},
		{
			`{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86","Z80"]}`,
			"linux.seccomp.architectures[1]: string Z80 is not a valid arch for seccomp",
		},
		{rule(`{"names":["b"],"action":"x"}`), "linux.seccomp.syscalls[1].action: string x is not a valid action for seccomp"},
		{rule(`{"names":["b"],"action":"SCMP_ACT_TRAP","errnoRet":0}`), `linux.seccomp.syscalls[1].errnoRet: action SCMP_ACT_TRAP has no error number`},
		{rule(`{"names":["b",""],"action":"SCMP_ACT_LOG"}`), `linux.seccomp.syscalls[1].names[1]: is empty`},
		{
			rule(`{"names":["b"],"action":"SCMP_ACT_LOG","args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}`),
			"linux.seccomp.syscalls[1].args[0].index: syscalls only have up to 6 arguments (6 given)",
		},
		{
			rule(`{"names":["b"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":1}]}`),
			`linux.seccomp.syscalls[1].args[0].op: is missing`,
		},
		{
			rule(`{"names":["b"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":1,"op":"=="}]}`),
			"linux.seccomp.syscalls[1].args[0].op: string == is not a valid operator for seccomp",
		},
		{rule(`{"names":["b"],"action":"SCMP_ACT_NOTIFY"}`), "linux.seccomp.listenerPath: seccomp listenerPath is not set, but syscalls[1] has SCMP_ACT_NOTIFY"},
	} {
		_, err := newRequest(parseProfile(t, c.profile))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got  %v\n want %s", c.profile, err, c.want)
		}
	}
}

// FuzzCompile passes documents to the checks and the compiler: an error names the field, and
// otherwise the result is a program that the kernel accepts and that decides about every call.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":["SCMP_ARCH_X86_64"]}`,
		`{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/a","syscalls":[{"names":["read"],"action":"SCMP_ACT_NOTIFY","args":` +
			`[{"index":0,"value":1,"op":"SCMP_CMP_MASKED_EQ"},{"index":0,"value":18446744073709551615,"op":"SCMP_CMP_LE"}]}]}`,
		`{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"],"syscalls":[` +
			`{"names":["socket","shmat","no_such_call"],"action":"SCMP_ACT_ALLOW"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p := new(specs.LinuxSeccomp)
		if json.Unmarshal(text, p) != nil {
			return
		}
		program, err := Compile(p)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "linux.seccomp") {
				t.Errorf("error without a field: %v", err)
			}
			return
		}
		if program == nil {
			return
		}
		vm, err := bpf.Parse(program.BPF)
		if err != nil {
			t.Fatal(err)
		}
		for _, nr := range []uint32{0, 1, 30, 102, 117, 434, 512, 0x40000000, 0x40000200, 0xffffffff} {
			for _, arch := range []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64} {
				if _, err := vm.Run(&bpf.Data{Number: nr, Arch: arch, Args: [6]uint64{1}}); err != nil {
					t.Errorf("arch %#x number %#x: %v", arch, nr, err)
				}
			}
		}
	})
}

func TestNotifies(t *testing.T) {
	for profile, want := range map[string]bool{
		`{}`:                                  false,
		`{"defaultAction":"SCMP_ACT_NOTIFY"}`: true,
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG"}]}`:                                            false,
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG"},{"names":["a"],"action":"SCMP_ACT_NOTIFY"}]}`: true,
	} {
		if got := Notifies(parseProfile(t, profile)); got != want {
			t.Errorf("%s: %v", profile, got)
		}
	}
	if Notifies(nil) {
		t.Error("no profile notifies")
	}
}
