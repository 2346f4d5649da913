// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"github.com/berth-run/berth/nsenter/internal/wire"
	"golang.org/x/sys/unix"
)

func TestStepErrorText(t *testing.T) {
	for _, tt := range []struct {
		e    StepError
		want string
	}{
		{StepError{Step: "setgid", Errno: syscall.EPERM}, "setgid: operation not permitted"},
		{StepError{Step: "chdir", Detail: "/x", Errno: syscall.ENOENT}, "chdir /x: no such file or directory"},
		{StepError{Step: "hook", Detail: "/h: exit status 1"}, "hook /h: exit status 1"},
		{StepError{Step: "look up", Detail: "x", Errno: syscall.ENOENT}, `exec: "x": executable file not found in $PATH`},
		{
			StepError{Step: "stat", Detail: "/nope", Errno: syscall.ENOENT},
			`exec: "/nope": stat /nope: no such file or directory`,
		},
		{StepError{Step: "check executable", Detail: "/etc", Errno: syscall.EISDIR}, `exec: "/etc": is a directory: permission denied`},
		{
			StepError{Step: "check executable", Detail: "/etc/passwd", Errno: syscall.EACCES},
			`exec: "/etc/passwd": permission denied`,
		},
		{
			StepError{Step: "verify cwd", Detail: "/p", Errno: syscall.ENAMETOOLONG},
			"verify cwd /p: file name too long",
		},
	} {
		if got := tt.e.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	if err := (&StepError{Step: "look up", Errno: syscall.ENOENT}); !errors.Is(err, fs.ErrNotExist) {
		t.Error("ENOENT is not fs.ErrNotExist")
	}
	if err := (&StepError{Step: "hook"}); errors.Unwrap(err) != nil {
		t.Error("an error without an errno unwraps to one")
	}
}

func TestStepErrorNames(t *testing.T) {
	names := fileNames{tasks: []string{"/a/tasks", "/b/tasks"}, joins: []string{"/proc/1/ns/net"}}
	for _, tt := range []struct {
		r      wire.Report
		detail string
		want   string
	}{
		{wire.Report{Step: stepCgroup, Index: 1, Error: 1}, "", "join cgroup /b/tasks: operation not permitted"},
		{wire.Report{Step: stepCgroup, Index: 2, Error: 1}, "", "join cgroup: operation not permitted"},
		{wire.Report{Step: stepJoin, Index: 0, Error: 22}, "", "setns /proc/1/ns/net: invalid argument"},
		{wire.Report{Step: stepJoin, Index: 16, Error: 22}, "/x", "setns /x: invalid argument"},
		{wire.Report{Step: stepBounding, Index: 0, Error: 1}, "", "drop bounding capability 0: operation not permitted"},
		{wire.Report{Step: 0, Error: 1}, "", "step 0: operation not permitted"},
		{wire.Report{Step: 4000000000, Error: 1}, "", "step 4000000000: operation not permitted"},
	} {
		if got := names.stepError(&tt.r, tt.detail).Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		"plain text":         "plain text",
		"grün 日本":            "grün 日本",
		"ends\n\n \t":        "ends",
		"a\nb":               `a\nb`,
		"\x1b]0;title\x07":   `\x1b]0;title\a`,
		"bad \xff\xc3 bytes": `bad \xff\xc3 bytes`,
		"real \ufffd one":    "real \ufffd one",
		"right\u202eleft":    `right\u202eleft`,
		`"quoted" back\s`:    `"quoted" back\s`,
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseReport(t *testing.T) {
	r := wire.Report{Magic: wire.Magic, Kind: wire.Failed, Step: 25, Error: 2, DetailSize: 3}
	whole := append(bytes.Clone(wire.Bytes(&r)), "/xynext"...)
	for n := range reportSize + 3 {
		if got, _, rest, err := parseReport(whole[:n]); got != nil || err != nil || len(rest) != n {
			t.Errorf("%d bytes: %+v %v", n, got, err)
		}
	}
	got, detail, rest, err := parseReport(whole)
	if err != nil || *got != r || detail != "/xy" || string(rest) != "next" {
		t.Errorf("%+v %q %q %v", got, detail, rest, err)
	}
	for name, bad := range map[string]wire.Report{
		"magic":  {Magic: 1},
		"detail": {Magic: wire.Magic, DetailSize: wire.MaxDetail + 1},
	} {
		if _, _, _, err := parseReport(wire.Bytes(&bad)); !errors.Is(err, errBadReport) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseReport(f *testing.F) {
	r := wire.Report{Magic: wire.Magic, Kind: wire.Failed, Step: stepStat, Error: 2, DetailSize: 3}
	f.Add(append(bytes.Clone(wire.Bytes(&r)), "/xy"...))
	f.Add(bytes.Repeat(wire.Bytes(&r), 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		for {
			r, detail, rest, err := parseReport(data)
			if err != nil || r == nil {
				return
			}
			if reportSize+len(detail)+len(rest) != len(data) {
				t.Fatalf("%d bytes became %d and %d", len(data), len(detail), len(rest))
			}
			data = rest
			text := new(fileNames).stepError(r, detail).Error()
			if strings.IndexFunc(text, unicode.IsControl) >= 0 {
				t.Fatalf("control characters in %q", text)
			}
		}
	})
}

func TestParseStat(t *testing.T) {
	for _, tt := range []struct {
		in    string
		name  string
		flags uint64
		ok    bool
	}{
		{"12 (berth:init) Z 1 12 12 0 -1 4228356 0 0", "berth:init", 4228356, true},
		{"12 (a) b (c) R 1 12 12 0 -1 4 0", "a) b (c", 4, true},
		{"12 (x) R 1 12 12 0 -1", "", 0, false},
		{"12 (x) R 1 12 12 0 -1 flags 0", "x", 0, false},
		{") (", "", 0, false},
		{"", "", 0, false},
	} {
		name, flags, ok := parseStat([]byte(tt.in))
		if name != tt.name || flags != tt.flags || ok != tt.ok {
			t.Errorf("parseStat(%q) = %q, %d, %v", tt.in, name, flags, ok)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (berth:init) Z 1 12 12 0 -1 4228356 0 0"))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, data []byte) {
		if name, _, ok := parseStat(data); ok && !bytes.Contains(data, []byte("("+name+")")) {
			t.Fatalf("name %q of %q", name, data)
		}
	})
}

// TestUnexpectedFiles: descriptors in a message that should have none are closed.
func TestUnexpectedFiles(t *testing.T) {
	checkLeaks(t)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	r := wire.Report{Magic: wire.Magic, Kind: wire.Ready}
	if err := sendMessage(theirs, wire.Bytes(&r), []int{0, 0}); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Init{sock: ours}).await(wire.Ready); err != nil {
		t.Error(err)
	}
}
