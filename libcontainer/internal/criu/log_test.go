// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const sampleLog = `(00.000001) Version: 4.1.1
(00.035149) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self
(00.044430) Error (criu/files-reg.c:1790): Can't lookup mount=27 for fd=1 path=/tmp/a): b
(00.044431) Warn  (criu/x.c:1): nothing
(00.044442)      1: Error (criu/cr-dump.c:1681): Dump files (pid: 32264) failed with -1
(00.114247) Error (criu/cr-dump.c:2111): Dumping FAILED.
(00.114248) Error (criu/cgroup.c:1998): cg: cgroupd: recv req error: No such file or directory
`

func TestErrorsOf(t *testing.T) {
	for text, want := range map[string][]string{
		"":                         nil,
		"(0) Warn (x): y\n":        nil,
		"Error (":                  nil,
		"Error (cut off":           {"cut off"},
		"(0) Error (a.c:1): one\n": {"one"},
		sampleLog: {
			"rlimit: Can't setup RLIMIT_NOFILE for self", "Can't lookup mount=27 for fd=1 path=/tmp/a): b",
			"Dump files (pid: 32264) failed with -1",
		},
		strings.Repeat("Error (a): 0\n", 9) + "Error (a): 1": {"0", "0", "0", "1"},
	} {
		if got := errorsOf(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzErrorsOf(f *testing.F) {
	f.Add(sampleLog)
	f.Fuzz(func(t *testing.T, text string) {
		for _, line := range errorsOf(text) {
			if strings.ContainsRune(line, '\n') || line == "" {
				t.Errorf("line %q", line)
			}
		}
	})
}

func TestExplain(t *testing.T) {
	log := filepath.Join(t.TempDir(), "dump.log")
	refused := func() error { return &Refused{Message: "first of all errors"} }
	text := explain(refused(), log).Error()
	if want := "criu failed: type EMPTY errno 0: first of all errors (log file: " + log + ")"; text != want {
		t.Errorf("without a log: %q, want %q", text, want)
	}
	// Only its end is read.
	long := strings.Repeat("(00.000000) filler\n", 1<<14) + sampleLog
	if err := os.WriteFile(log, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{refused(), ErrGone} {
		got := explain(err, log)
		for _, want := range []string{"criu failed: ", "Can't lookup mount=27", log} {
			if !strings.Contains(got.Error(), want) {
				t.Errorf("%q has no %q", got, want)
			}
		}
		if !errors.Is(got, err) || strings.Contains(got.Error(), "first of all") || strings.Contains(got.Error(), "FAILED") {
			t.Errorf("error %q", got)
		}
	}
	if err := explain(nil, log); err != nil {
		t.Errorf("no error became %v", err)
	}
}
