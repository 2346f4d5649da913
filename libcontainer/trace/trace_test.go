// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/internal/procs"
	"golang.org/x/sys/unix"
)

// read returns the lines of a trace, whose end is open.
func read(t *testing.T, path string) (all []line) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(append(data, ']'), &all); err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	return all
}

func open(t *testing.T, path string, c Command) *Trace {
	t.Helper()
	tr, err := Open(path, c)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.json")
	tr := open(t, path, Command{Program: "berth", Name: "run", Container: "c1"})
	outer := tr.Begin(Runtime, "outer")
	inner := tr.Lane(Builder).Begin("mount", "mounts[0]", "/a\"b\n\xff")
	if err := errors.New("no"); inner.End(err) != err { //nolint:errorlint // the same one
		t.Error("End does not return the error")
	}
	_ = outer.End(nil)
	tr.Lane(Init).Add([]Event{{Lane: Network, Name: "elsewhere", Start: 1500, End: 4 * time.Microsecond}})
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range read(t, path) {
		if l.PID != os.Getpid() {
			t.Errorf("%s: pid %d", l.Name, l.PID)
		}
		names = append(names, l.Kind+" "+l.Name)
		switch l.Name {
		case "process_name":
			if l.Args.Name != "berth run c1" {
				t.Errorf("process %q", l.Args.Name)
			}
		case "thread_name":
			if (l.Args.Name == "runtime") != (l.TID == l.PID) {
				t.Errorf("track %q is %d", l.Args.Name, l.TID)
			}
		case "elsewhere":
			if *l.Start != 1.5 || *l.Duration != 2.5 || l.TID != number(Init, l.PID) {
				t.Errorf("elsewhere: %v for %v in %d", *l.Start, *l.Duration, l.TID)
			}
		case "outer":
			if l.Args != nil || *l.Duration <= 0 {
				t.Errorf("outer: %v", l)
			}
		default:
			if l.Args == nil || l.Args.Error != "no" {
				t.Errorf("inner: %v", l)
			}
		}
	}
	want := "M process_name;M thread_name;M thread_name;M thread_name;X elsewhere;X outer;X mount mounts[0] /a\"b\n\ufffd"
	if got := strings.Join(names, ";"); got != want {
		t.Errorf("events %q", got)
	}
}

// TestClock: other processes have the same clock, so that their commands are at the right place.
func TestClock(t *testing.T) {
	var before, after unix.Timespec
	tr := Collect()
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &before)
	span := tr.Begin(Runtime, "")
	_ = span.End(nil)
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &after)
	// The two clocks are not read at the same moment.
	const slack = 100 * time.Millisecond // another process may run in between
	e := tr.Take()[0]
	if e.Start < time.Duration(before.Nano())-slack || e.End > time.Duration(after.Nano())+slack || e.End < e.Start {
		t.Errorf("from %v to %v, but it was between %v and %v", e.Start, e.End, before.Nano(), after.Nano())
	}
}

// TestShared: commands that run at the same time write one array, with whole lines.
func TestShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.json")
	const commands, phases = 8, 100
	var all sync.WaitGroup
	for range commands {
		all.Add(1)
		go func() {
			defer all.Done()
			tr, err := Open(path, Command{Program: "berth"})
			if err != nil {
				t.Error(err)
				return
			}
			for range phases {
				span := tr.Begin(Runtime, "phase")
				_ = span.End(nil)
			}
			if err := tr.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	all.Wait()
	if n := len(read(t, path)); n != commands*(phases+2) {
		t.Errorf("%d events", n)
	}
}

// TestBegunOnce: of commands that find no file at the same time, only one begins the array. It has
// many rounds, because the moment is short.
func TestBegunOnce(t *testing.T) {
	dir := t.TempDir()
	for round := range 500 {
		path := filepath.Join(dir, strconv.Itoa(round))
		const commands = 4
		var all sync.WaitGroup
		start := make(chan struct{})
		for range commands {
			all.Add(1)
			go func() {
				defer all.Done()
				<-start
				tr, err := Open(path, Command{})
				if err == nil {
					err = tr.Close()
				}
				if err != nil {
					t.Error(err)
				}
			}()
		}
		close(start)
		all.Wait()
		if n := len(read(t, path)); n != commands {
			t.Fatalf("%d names of processes, want %d", n, commands)
		}
	}
}

// TestIncompleteLine: a command that was killed while it wrote does not spoil the file for others.
func TestIncompleteLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.json")
	one := func() {
		tr := open(t, path, Command{})
		span := tr.Begin(Runtime, "phase")
		_ = span.End(nil)
		if err := tr.Close(); err != nil {
			t.Fatal(err)
		}
	}
	one()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-5); err != nil {
		t.Fatal(err)
	}
	one()
	if n := len(read(t, path)); n != 3-1+3 {
		t.Errorf("%d events", n)
	}
	// What is left of a line may end in a bracket.
	for _, left := range []string{`,{"name":"mounts[0]`, `,`, `,{"name":"a\\nb"`} {
		before := len(read(t, path))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(data, left...), 0o600); err != nil {
			t.Fatal(err)
		}
		one()
		if n := len(read(t, path)); n != before+3 {
			t.Errorf("%d events after %d and %q", n, before, left)
		}
	}
	// One long line of somebody else, of which the end alone is looked at.
	long := `[{"ph":"M"}` + strings.Repeat(`,{"ph":"M"}`, 20_000)
	for offset := range 12 { // so that a comma is the first byte of that
		if err := os.WriteFile(path, []byte(long+strings.Repeat(" ", offset)), 0o600); err != nil {
			t.Fatal(err)
		}
		one()
		if n := len(read(t, path)); n != 20_001+3 {
			t.Errorf("%d events after a long line", n)
		}
	}
	// An array of somebody else, which is complete.
	if err := os.WriteFile(path, []byte(`[{"ph":"M"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	one()
	if n := len(read(t, path)); n != 1+3 {
		t.Errorf("%d events after those of somebody else", n)
	}
}

func TestOwnFile(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		command Command
		want    string
	}{
		{Command{Name: "run", Container: "c+1.x"}, "run-c+1.x-PID.json"},
		{Command{Name: "list"}, "list-PID.json"},
		{Command{Name: "run", Container: "../a/ä\x00"}, "run-.._a___-PID.json"},
		{Command{Name: "run", Container: strings.Repeat("x", 300)}, "run-" + strings.Repeat("x", 200) + "-PID.json"},
	} {
		if got := strings.Replace(tc.command.fileName(4194303), "4194303", "PID", 1); got != tc.want {
			t.Errorf("%q: %s, want %s", tc.command, got, tc.want)
		}
		if err := open(t, dir, tc.command).Close(); err != nil {
			t.Fatal(err)
		}
		if all := read(t, filepath.Join(dir, tc.command.fileName(os.Getpid()))); len(all) != 1 {
			t.Errorf("%q: events %v", tc.command, all)
		}
	}
	link := Command{Name: "kill"}
	if err := os.Symlink("elsewhere", filepath.Join(dir, link.fileName(os.Getpid()))); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, link); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a symbolic link in the directory: %v", err)
	}
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	other, done := filepath.Join(dir, "other"), filepath.Join(dir, "done")
	for path, text := range map[string]string{other: "{}", done: "[{}\n]\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		other:                         "is not a trace",
		done:                          "completed with a bracket",
		filepath.Join(dir, "no/file"): "no such file or directory",
		fifo:                          "neither a regular file nor a directory",
		os.DevNull:                    "neither a regular file nor a directory",
	} {
		if _, err := Open(path, Command{}); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

// TestCloseOnExec: programs that the command executes do not have the file.
func TestCloseOnExec(t *testing.T) {
	tr := open(t, filepath.Join(t.TempDir(), "trace.json"), Command{})
	defer tr.Close()
	flags, err := unix.FcntlInt(uintptr(tr.file), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %d, %v", flags, err)
	}
}

// TestOff: without a trace, nothing is allocated or kept.
func TestOff(t *testing.T) {
	var off *Trace
	field, destination := "mounts[0]", "/data"
	n := testing.AllocsPerRun(100, func() {
		span := off.Begin(Runtime, "phase")
		_ = span.End(nil)
		span = off.Lane(Builder).Begin("mount", field, destination)
		if span != (Span{}) {
			t.Error("a span")
		}
		_ = span.End(syscall.EPERM)
		off.Add()
		off.Record(Runtime, "phase", time.Time{}, time.Time{})
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	if off.Take() != nil || off.Close() != nil || off.Lane(Init).On() {
		t.Error("there is a trace")
	}
}

// TestStarted: the start is within the tick that /proc/self/stat tells.
func TestStarted(t *testing.T) {
	stat, err := procs.Read(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var boot unix.Timespec
	now := time.Now()
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		t.Fatal(err)
	}
	started := time.Duration(boot.Nano()) - now.Sub(Started(now))
	early := time.Duration(stat.StartTime) * tick
	const slack = 20 * time.Millisecond // the clocks are not read at the same moment
	if started < early-slack || started > early+tick+slack {
		t.Errorf("started %v after the boot, which is not in the tick after %v", started, early)
	}
}

// BenchmarkOff is what a phase costs without a trace, and BenchmarkOn with one.
func BenchmarkOff(b *testing.B) { benchmark(b, nil) }

func BenchmarkOn(b *testing.B) { benchmark(b, Collect()) }

func benchmark(b *testing.B, t *Trace) {
	b.ReportAllocs()
	track := t.Lane(Builder)
	field, destination := "mounts[0]", "/data"
	for range b.N {
		span := track.Begin("mount", field, destination)
		_ = span.End(nil)
	}
}
