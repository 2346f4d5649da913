// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/berth-run/berth/seccomp/internal/wire"
	"github.com/opencontainers/runtime-spec/specs-go"
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
		want          wire.Request
	}{
		{
			"defaults to EPERM", `{"defaultAction":"SCMP_ACT_ERRNO"}`,
			wire.Request{Default: 0x50001, Stub: true},
		},
		{
			"errno", `{"defaultAction":"SCMP_ACT_TRACE","defaultErrnoRet":65535,
			"syscalls":[{"names":["a"],"action":"SCMP_ACT_ERRNO","errnoRet":0}]}`,
			wire.Request{Default: 0x7ff0ffff, Rules: []wire.Rule{{Action: 0x50000, Names: []string{"a"}}}},
		},
		{
			"ENOSYS already", `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38}`,
			wire.Request{Default: 0x50026},
		},
		{
			"notify as the default", `{"defaultAction":"SCMP_ACT_NOTIFY","listenerPath":"/a",
			"syscalls":[{"names":["write"],"action":"SCMP_ACT_NOTIFY"}]}`,
			wire.Request{Default: 0x7fc00000, Rules: []wire.Rule{{Action: 0x7fc00000, Names: []string{"write"}}}},
		},
		{
			"kill is kill thread", `{"defaultAction":"SCMP_ACT_KILL"}`,
			wire.Request{Default: 0, Stub: true},
		},
		{
			"architectures in any order", `{"defaultAction":"SCMP_ACT_ALLOW",
			"architectures":["SCMP_ARCH_X86","SCMP_ARCH_ARM","SCMP_ARCH_X86"]}`,
			wire.Request{Default: 0x7fff0000, Archs: []string{"SCMP_ARCH_ARM", "SCMP_ARCH_X86"}},
		},
		{
			"all checks in one rule", `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a","b"],"action":"SCMP_ACT_LOG",
			"args":[{"index":5,"value":1,"valueTwo":7,"op":"SCMP_CMP_LT"},{"index":0,"value":6,"valueTwo":3,"op":"SCMP_CMP_MASKED_EQ"}]}]}`,
			wire.Request{Default: 0x7fff0000, Rules: []wire.Rule{{
				Action: 0x7ffc0000, Names: []string{"a", "b"},
				Args: []wire.Arg{{Index: 5, Op: wire.LessThan, Value: 1}, {Index: 0, Op: wire.MaskedEqual, Value: 6, ValueTwo: 2}},
			}}},
		},
		{
			"an argument twice", `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"],"action":"SCMP_ACT_LOG"},
			{"names":["a"],"action":"SCMP_ACT_TRAP","args":[{"index":1,"value":1,"op":"SCMP_CMP_EQ"},{"index":1,"value":2,"op":"SCMP_CMP_NE"}]}]}`,
			wire.Request{Default: 0x7fff0000, Rules: []wire.Rule{
				{Index: 0, Action: 0x7ffc0000, Names: []string{"x"}},
				{Index: 1, Action: 0x30000, Names: []string{"a"}, Args: []wire.Arg{{Index: 1, Op: wire.Equal, Value: 1}}},
				{Index: 1, Action: 0x30000, Names: []string{"a"}, Args: []wire.Arg{{Index: 1, Op: wire.NotEqual, Value: 2}}},
			}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := newRequest(parseProfile(t, c.profile))
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Rules) == 0 {
				got.Rules = nil
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
		{`{"syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG"}]}`, `linux.seccomp.defaultAction: unknown action ""`},
		{`{"defaultAction":"ALLOW"}`, `linux.seccomp.defaultAction: unknown action "ALLOW"`},
		{`{"defaultAction":"SCMP_ACT_NOTIFY"}`, `linux.seccomp.listenerPath: defaultAction is SCMP_ACT_NOTIFY but nobody listens`},
		{`{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1}`, `linux.seccomp.defaultErrnoRet: action SCMP_ACT_ALLOW has no error number`},
		{`{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":4096}`, `linux.seccomp.defaultErrnoRet: 4096 is above 4095`},
		{`{"defaultAction":"SCMP_ACT_TRACE","defaultErrnoRet":65536}`, `linux.seccomp.defaultErrnoRet: 65536 is above 65535`},
		{
			`{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86","Z80"]}`,
			`linux.seccomp.architectures[1]: unknown architecture "Z80"`,
		},
		{rule(`{"names":["b"],"action":"x"}`), `linux.seccomp.syscalls[1].action: unknown action "x"`},
		{rule(`{"names":["b"],"action":"SCMP_ACT_TRAP","errnoRet":0}`), `linux.seccomp.syscalls[1].errnoRet: action SCMP_ACT_TRAP has no error number`},
		{rule(`{"names":["b",""],"action":"SCMP_ACT_LOG"}`), `linux.seccomp.syscalls[1].names[1]: is empty`},
		{
			rule(`{"names":["b"],"action":"SCMP_ACT_LOG","args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}`),
			`linux.seccomp.syscalls[1].args[0].index: 6 is above 5`,
		},
		{
			rule(`{"names":["b"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":1}]}`),
			`linux.seccomp.syscalls[1].args[0].op: is missing`,
		},
		{
			rule(`{"names":["b"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":1,"op":"=="}]}`),
			`linux.seccomp.syscalls[1].args[0].op: unknown operator "=="`,
		},
		{rule(`{"names":["b"],"action":"SCMP_ACT_NOTIFY"}`), `linux.seccomp.listenerPath: syscalls[1] has SCMP_ACT_NOTIFY but nobody listens`},
	} {
		_, err := newRequest(parseProfile(t, c.profile))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got  %v\n want %s", c.profile, err, c.want)
		}
	}
}

// FuzzNewRequest feeds documents to the checks: an error names the field, and
// what is no error survives the way to the compiler.
func FuzzNewRequest(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":["SCMP_ARCH_X86_64"]}`,
		`{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/a","syscalls":[{"names":["a"],"action":"SCMP_ACT_NOTIFY","args":` +
			`[{"index":0,"value":1,"op":"SCMP_CMP_MASKED_EQ"},{"index":0,"value":18446744073709551615,"op":"SCMP_CMP_LE"}]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p := new(specs.LinuxSeccomp)
		if json.Unmarshal(text, p) != nil {
			return
		}
		req, err := newRequest(p)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "linux.seccomp.") {
				t.Errorf("error without a field: %v", err)
			}
			return
		}
		encoded := req.Encode()
		back, err := wire.DecodeRequest(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if again := back.Encode(); string(again) != string(encoded) {
			t.Errorf("%q became %q", encoded, again)
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
