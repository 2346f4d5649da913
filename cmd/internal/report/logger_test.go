// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writes counts the calls of Write.
type writes struct {
	bytes.Buffer
	n int
}

func (w *writes) Write(p []byte) (int, error) {
	w.n++
	return w.Buffer.Write(p)
}

func TestFatalJSONLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.json")
	if err := os.WriteFile(path, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	l := New(&stderr, "berth")
	if err := l.Configure(&Options{File: path, Format: "json"}); err != nil {
		t.Fatal(err)
	}
	l.Warnf("no such file or directory: dropped, since the command fails")
	l.Fatal(errors.New("two\nlines"))
	l.Close()

	if got, want := stderr.String(), "two\\nlines\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 3 || lines[0] != "{}" || lines[2] != "" {
		t.Fatalf("log %q: want one line after the old content", text)
	}
	var entry struct{ Level, Msg, Time string }
	if err := json.Unmarshal([]byte(lines[1]), &entry); err != nil {
		t.Fatal(err)
	}
	if entry.Level != "error" || entry.Msg != `two\nlines` {
		t.Errorf("entry %+v", entry)
	}
	if _, err := time.Parse(time.RFC3339, entry.Time); err != nil {
		t.Error(err)
	}
}

func TestFatalOnStderr(t *testing.T) {
	var stderr writes
	l := New(&stderr, "berth")
	l.Fatal(errors.New("container does not exist"))
	if stderr.n != 1 {
		t.Errorf("%d writes for one line", stderr.n)
	}
	if s := stderr.String(); !strings.HasPrefix(s, `time="`) || !strings.HasSuffix(s, "level=error msg=\"container does not exist\"\n") {
		t.Errorf("line %q", s)
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		succeed bool
		want    []string // fragments, one for each line
	}{
		{name: "held back and dropped on failure", want: []string{"level=error"}},
		{name: "written on success", succeed: true, want: []string{"level=warning"}},
		{name: "level error", options: Options{Level: "error"}, succeed: true},
		{name: "level warning", options: Options{Level: "warning"}, want: []string{"level=warning", "level=error"}},
		{name: "debug", options: Options{Debug: true}, want: []string{"level=debug", "level=warning", "level=error"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var stderr bytes.Buffer
			l := New(&stderr, "berth")
			test.options.Format = "text"
			if err := l.Configure(&test.options); err != nil {
				t.Fatal(err)
			}
			l.Debugf("d %d", 1)
			l.Warnf("w %d", 2)
			if test.succeed {
				l.Flush()
			} else {
				l.Fatal(errors.New("e"))
			}
			var lines []string
			if s := strings.TrimSpace(stderr.String()); s != "" {
				lines = strings.Split(s, "\n")
			}
			if len(lines) != len(test.want) {
				t.Fatalf("lines %q, want %q", lines, test.want)
			}
			for i, want := range test.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("line %q, want %q", lines[i], want)
				}
			}
		})
	}
}

// TestNoLogFormat: engines and scripts may pass on an empty value.
func TestNoLogFormat(t *testing.T) {
	var stderr bytes.Buffer
	l := New(&stderr, "berth")
	if err := l.Configure(&Options{}); err != nil {
		t.Fatal(err)
	}
	if l.Fatal(errors.New("e")); !strings.Contains(stderr.String(), "level=error msg=e") {
		t.Errorf("line %q", stderr.String())
	}
}

func TestConfigureErrors(t *testing.T) {
	tests := []struct {
		options Options
		want    string
	}{
		{Options{Format: "xml"}, "invalid log-format: xml"},
		{Options{Format: "text", Level: "loud"}, "invalid log-level: loud"},
		{Options{Format: "text", File: "/nonexistent/log"}, "--log: open /nonexistent/log: no such file or directory"},
	}
	for _, test := range tests {
		if err := New(new(bytes.Buffer), "berth").Configure(&test.options); err == nil || err.Error() != test.want {
			t.Errorf("%+v: error %v, want %s", test.options, err, test.want)
		}
	}
}
