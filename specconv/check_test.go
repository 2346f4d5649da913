// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"golang.org/x/sys/unix"
)

func checkOptions(t testing.TB) *Options {
	t.Helper()
	bundle := t.TempDir()
	if err := os.Mkdir(bundle+"/rootfs", 0o755); err != nil {
		t.Fatal(err)
	}
	return &Options{Bundle: bundle}
}

func lines(ch *Checked) (all []string) {
	for _, p := range ch.Problems {
		all = append(all, fmt.Sprintf("%d:%d %s %s: %s -> %s", p.Line, p.Column, p.Severity, p.Field, p.Reason, p.Suggestion))
	}
	return all
}

// TestCheckAll: every mistake is found at once, in the order of the document, with its place.
func TestCheckAll(t *testing.T) {
	const document = `{
 "ociVersion": "1.0.2", "hostname": 7,
 "process": {"args": [], "cwd": "tmp", "env": ["A", "=b", "C=d"],
  "user": {"uid": 1, "gid": -2, "umask": 4096},
  "rlimits": [{"type": "NOFILE", "soft": 2, "hard": 1}, {"type": "RLIMIT_CORE", "soft": 2, "hard": 1}],
  "noNewPriviledges": true, "capabilities": {"bounding": ["CAP_CHWN"]}},
 "root": {"path": "none"},
 "mounts": [{"destination": "/a", "type": "bind", "source": "/b", "options": ["bind", "nosiud", "readonly"]},
  {"destination": "", "type": ""},
  {"destination": "/p", "type": "proc"}],
 "hooks": {"prestart": [{"path": "a", "timeout": 0}]},
 "linux": {"namespaces": [{"type": "networx"}, {"type": "mount"}, {"type": "mount"}],
  "sysctl": {"net.core.somaxconn": "1", "kernel.panic": "1"},
  "devices": [{"path": "d", "type": "x", "major": -1, "minor": 1}],
  "maskedPaths": ["/a", ""]}
}`
	ch := Check(document, checkOptions(t))
	ch.Sort()
	want := []string{
		`2:37 error hostname: expected a string, found a number -> `,
		`3:22 error process.args: args must not be empty -> ["sh"]`,
		`3:33 error process.cwd: Cwd must be an absolute path: "tmp" -> "/tmp"`,
		`3:48 error process.env[0]: invalid environment variable: missing '=': "A" -> "A="`,
		`3:53 error process.env[1]: invalid environment variable: name cannot be empty: "=b" -> `,
		`4:29 error process.user.gid: `,
		`4:42 error process.user.umask: more than permission bits: 010000 -> `,
		`5:24 error process.rlimits[0].type: wrong rlimit value: NOFILE: unknown rlimit type -> "RLIMIT_NOFILE"`,
		`5:89 error process.rlimits[1].soft: the soft limit 2 is above the hard limit 1 of RLIMIT_CORE`,
		`6:3 warning : unknown key "noNewPriviledges" is ignored -> "noNewPrivileges"`,
		`6:45 warning process.capabilities: ignoring unknown or unavailable capabilities: ["CAP_CHWN"] -> "CAP_CHOWN"`,
		`7:19 error root.path: invalid rootfs: openat2 `,
		`8:87 error mounts[0].options[1]: unknown option "nosiud"`,
		`8:97 error mounts[0].options[2]: unknown option "readonly"`,
		`9:19 error mounts[1].destination: must not be empty -> `,
		`9:31 error mounts[1].type: must not be empty -> `,
		`11:34 error hooks.prestart[0].path: must be an absolute path: "a" -> "/a"`,
		`11:50 error hooks.prestart[0].timeout: must be greater than zero: 0 -> `,
		`12:36 error linux.namespaces[0].type: namespace {"networx" ""} does not exist: unknown namespace type -> "network"`,
		`12:76 error linux.namespaces[2].type: malformed spec file: duplicated ns {"mount" ""}: duplicate namespace type -> `,
		`13:13 error linux.sysctl: sysctl "kernel.panic" is not in a separate kernel namespace -> `,
		`14:24 error linux.devices[0].path: must be an absolute path: "d" -> "/d"`,
		`14:37 error linux.devices[0].type: invalid device type "x", must be b, c, u or p -> `,
		`14:51 error linux.devices[0].major: must be between 0 and 4095: -1 -> `,
		`15:25 error linux.maskedPaths[1]: must not be empty -> `,
	}
	got := lines(ch)
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case i >= len(want):
			t.Errorf("too much: %s", got[i])
		case !strings.HasPrefix(got[i], want[i]):
			t.Errorf("%s\nwant %s", got[i], want[i])
		}
	}
	if ch.Plan != nil || ch.Rough == nil || !ch.Failed() {
		t.Errorf("plan %v, rough %v", ch.Plan, ch.Rough)
	}
}

func TestCheckGood(t *testing.T) {
	ch := Check(`{"ociVersion": "1.2.0", "process": {"args": ["sh"], "cwd": "/"}, "root": {"path": "rootfs"}}`, checkOptions(t))
	if ch.Failed() || len(ch.Problems) > 0 || ch.Plan == nil || ch.Spec == nil {
		t.Errorf("%q, %v", lines(ch), ch.Plan)
	}
}

func TestCheckNotJSON(t *testing.T) {
	for document, want := range map[string]string{
		"":                      "1:1 error : unexpected end of the file",
		"{\n \"process\": {]":   "2:14 error ",
		"[]":                    "1:1 error : expected an object, found an array",
		"null":                  "1:1 error : expected an object, found null",
		`{"hostname": "a"} {`:   "1:19 error : ",
		`{"hostname": 3, "a": `: "1:14 error hostname: expected a string, found a number",
	} {
		ch := Check(document, checkOptions(t))
		if ch.Sort(); !ch.Failed() || !strings.HasPrefix(lines(ch)[0], want) || ch.Plan != nil {
			t.Errorf("%q: %q, want %q", document, lines(ch), want)
		}
	}
}

// TestConvertSaysTheFirst: create says what it said before there was a list.
func TestConvertSaysTheFirst(t *testing.T) {
	o := checkOptions(t)
	for _, document := range []string{
		`{"process": {"args": [], "cwd": ""}}`,
		`{"process": {"args": ["a"], "cwd": "/"}, "mounts": [{"destination": ""}, {}]}`,
		`{"ociVersion": "9", "linux": {"namespaces": [{"type": "x"}, {"type": "y"}]}}`,
		`{"ociVersion": "1.0.0", "linux": {"namespaces": [{"type": "x"}, {"type": "y"}]}}`,
	} {
		compareWithConvert(t, document, o)
	}
}

// compareWithConvert holds Convert against the list of Check.
func compareWithConvert(t *testing.T, document string, o *Options) {
	t.Helper()
	ch := Check(document, o)
	spec, _, _, err := ocispec.Spec(document)
	if err != nil {
		if !ch.Failed() {
			t.Fatalf("%v, but no problem: %s", err, document)
		}
		return
	}
	if _, err = convert(spec, o, unix.Geteuid()); (err != nil) != ch.Failed() {
		t.Fatalf("%v, but %q: %s", err, lines(ch), document)
	}
	if err == nil {
		return
	}
	for _, p := range ch.Problems {
		if p.Severity != Error {
			continue
		}
		// The hint may have moved from the text to the suggestion.
		if text := p.Field + ": " + p.Reason; text != err.Error() && p.Suggestion == "" {
			t.Fatalf("%q, but %q: %s", err, text, document)
		}
		break
	}
}

// FuzzCheck: Check and Convert agree on which documents are right, and on the first error.
func FuzzCheck(f *testing.F) {
	f.Add(`{"ociVersion": "1.0.2", "process": {"args": ["a"], "cwd": "/", "user": {"umask": 9}, "rlimits": [{"type": "A"}]}, "root": {"path": "rootfs"}}`)
	f.Add(`{"mounts": [{"destination": "/", "type": "bind", "options": ["idmap=uids=1"]}], "linux": {"uidMappings": [{"size": 0}], "namespaces": [{"type": "user"}]}}`)
	f.Add(`{"linux": {"resources": {"devices": [{"access": "z"}], "unified": {"a/b": ""}}, "memoryPolicy": {}, "timeOffsets": {"x": {}}}, "annotations": {"run.oci.handler": "x"}}`)
	o := checkOptions(f)
	f.Fuzz(func(t *testing.T, document string) { compareWithConvert(t, document, o) })
}
