// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/sirupsen/logrus"
)

func TestPlainFormatter(t *testing.T) {
	for _, tc := range []struct {
		level  logrus.Level
		colour bool
		want   string
	}{
		{logrus.ErrorLevel, false, "berth: text\n"},
		{logrus.WarnLevel, false, "berth: warning: text\n"},
		{logrus.DebugLevel, false, "text\n"},
		{logrus.ErrorLevel, true, "\x1b[1;31mberth:\x1b[0m text\n"},
		{logrus.WarnLevel, true, "\x1b[33mberth: warning:\x1b[0m text\n"},
		{logrus.DebugLevel, true, "\x1b[90mtext\x1b[0m\n"},
	} {
		f := &plainFormatter{"berth", tc.colour}
		if got, err := f.Format(&logrus.Entry{Level: tc.level, Message: "text"}); err != nil || string(got) != tc.want {
			t.Errorf("%v, %t: %q, %v", tc.level, tc.colour, got, err)
		}
	}
}

func TestPlainText(t *testing.T) {
	inner := configs.AddPhrase(fmt.Errorf("open /x: %w", os.ErrNotExist), "as runc says")
	err := configs.PutPhrase("berth run failed", fmt.Errorf("mounts[1]: %w (then, undo: %w)", inner, errors.New("no")))
	if got, want := err.Error(), "berth run failed: mounts[1]: open /x: file does not exist (as runc says) (then, undo: no)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := plain(err), "mounts[1]: open /x: file does not exist (then, undo: no)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Error("the error is lost")
	}
}

// TestFatalCode: the JSON line has the code of the error.
func TestFatalCode(t *testing.T) {
	var stderr bytes.Buffer
	l := New(&stderr, "berth")
	if err := l.Configure(&Options{Format: "json"}); err != nil {
		t.Fatal(err)
	}
	l.Fatal(fmt.Errorf("x: %w", codes.With(codes.MountFailed, os.ErrNotExist)))
	var entry struct{ Code, Msg, Level string }
	if err := json.Unmarshal(stderr.Bytes(), &entry); err != nil || entry.Code != "mount-failed" || entry.Level != "error" || entry.Msg != "x: file does not exist" {
		t.Errorf("%s: %v", stderr.String(), err)
	}
}

// TestPhase: phases that took long, or failed, are in the debug log.
func TestPhase(t *testing.T) {
	var stderr bytes.Buffer
	l := New(&stderr, "berth")
	if err := l.Configure(&Options{Format: "text", Debug: true}); err != nil {
		t.Fatal(err)
	}
	tr := trace.Collect()
	tr.TellTo(l.Phase)
	tr.Add(
		trace.Event{Lane: trace.Builder, Name: "quick", End: time.Microsecond},
		trace.Event{Lane: trace.Builder, Name: "slow", Start: time.Second, End: time.Second + 1500*time.Microsecond},
		trace.Event{Lane: trace.Init, Name: "bad", End: time.Microsecond, Error: "no"},
	)
	got := stderr.String()
	if strings.Contains(got, "quick") || !strings.Contains(got, "builder: took 1.500 ms: slow") || !strings.Contains(got, "init: failed after 0.001 ms: bad: no") {
		t.Error(got)
	}
	if n := len(tr.Take()); n != 3 {
		t.Errorf("%d events are left for the file", n)
	}
}
