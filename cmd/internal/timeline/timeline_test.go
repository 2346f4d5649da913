// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/trace"
)

// names of a command, two tracks, and phases; the array is open, as berth writes it.
const create = `[{"ph":"M","name":"process_name","pid":7,"tid":7,"args":{"name":"berth create box"}}
,{"ph":"M","name":"thread_name","pid":7,"tid":7,"args":{"name":"runtime"}}
,{"ph":"M","name":"thread_name","pid":7,"tid":8,"args":{"name":"builder"}}
,{"ph":"X","name":"exec and start of Go","ts":1000.5,"dur":1000,"pid":7,"tid":7}
,{"ph":"X","name":"create","ts":2000.5,"dur":8000,"pid":7,"tid":7,"args":{"error":"outer: no such device"}}
,{"ph":"X","name":"let the builder mount","ts":3000.5,"dur":7000,"pid":7,"tid":7,"args":{"error":"outer: no such device"}}
,{"ph":"X","name":"open the root file system","ts":3000.5,"dur":100,"pid":7,"tid":8}
,{"ph":"X","name":"mount mounts[0] /data","ts":3100.5,"dur":6400,"pid":7,"tid":8,"args":{"error":"no such device"}}
`

const list = `,{"ph":"M","name":"process_name","pid":9,"tid":9,"args":{"name":"berth list"}}
,{"ph":"M","name":"thread_name","pid":9,"tid":9,"args":{"name":"runtime"}}
,{"ph":"X","name":"list","ts":12000.5,"dur":2000,"pid":9,"tid":9}
`

func parsed(t *testing.T, text string) []*Command {
	t.Helper()
	commands, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return commands
}

func TestTable(t *testing.T) {
	const want = `berth create box: 9.000 ms, failed in "mount mounts[0] /data"
     start   duration   share
                               runtime
     0.000      1.000   11.1%    exec and start of Go
     1.000      8.000   88.9%    create  failed
     2.000      7.000   77.8%      let the builder mount  failed
                               builder
     2.000      0.100    1.1%    open the root file system
     2.100      6.400   71.1%    mount mounts[0] /data  <- failed here
failed: no such device

berth list: 2.000 ms, 11.000 ms after the first
     start   duration   share
                               runtime
     0.000      2.000  100.0%    list  <- longest
`
	for _, end := range []string{"", "]", " ] \n"} {
		if got := Table(parsed(t, create+list+end), Style{}); got != want {
			t.Errorf("prints\n%s\nwant\n%s", got, want)
		}
	}
}

func TestThresholdAndColour(t *testing.T) {
	text := strings.ReplaceAll(create, `,"args":{"error":"no such device"}`, "") + list
	got := Table(parsed(t, text), Style{Threshold: 500 * time.Microsecond, Colour: true})
	if strings.Contains(got, "open the root") || !strings.Contains(got, "\x1b[33mmount mounts[0] /data\x1b[0m\x1b[33m  <- longest") {
		t.Errorf("prints\n%s", got)
	}
	// What failed stays, however short it is.
	if got := Table(parsed(t, create), Style{Threshold: time.Hour}); !strings.Contains(got, "<- failed here") || strings.Contains(got, "exec and start") {
		t.Errorf("prints\n%s", got)
	}
}

func TestJSON(t *testing.T) {
	text, err := JSON(parsed(t, create+list), 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []commandJSON
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Failed == nil || *all[0].Failed != (failedJSON{"mount mounts[0] /data", "no such device"}) || all[1].Failed != nil {
		t.Fatalf("%s", text)
	}
	runtime := all[0].Tracks[0]
	if p := runtime.Phases[1]; runtime.Name != "runtime" || p.Name != "create" || p.Start != 1000 || p.Duration != 8000 || len(p.Phases) != 1 {
		t.Errorf("%s", text)
	}
	if text, _ := JSON(nil, 0); string(text) != "[]" {
		t.Errorf("nothing is %s", text)
	}
}

// TestLongest: the time of parts, of other tracks and of the user's program does not count.
func TestLongest(t *testing.T) {
	phase := func(name string, start, end int, tid string) string {
		line, _ := json.Marshal(map[string]any{"ph": "X", "name": name, "ts": start, "dur": end - start, "pid": 7})
		return "," + strings.TrimSuffix(string(line), "}") + `,"tid":` + tid + "}\n"
	}
	head := strings.Join(strings.SplitAfter(create, "\n")[:3], "")
	for _, test := range []struct{ phases, want string }{
		{phase("a", 0, 10, "7") + phase("b", 10, 15, "7"), "a"},
		{phase("a", 0, 10, "7") + phase("b", 2, 9, "7"), "b"},
		{phase("a", 0, 10, "7") + phase("b", 0, 4, "7") + phase("c", 5, 9, "8"), "b"},
		{phase("a", 0, 10, "7") + phase("b", 5, 8, "8") + phase("c", 6, 9, "8"), "a"},
		{phase(waiting, 0, 100, "7") + phase("b", 100, 101, "7"), "b"},
		{phase("a", 5, 5, "7"), ""},
	} {
		got := ""
		parsed(t, head+test.phases)[0].Walk(func(_ int, p *Phase) bool {
			if p.Longest {
				got += p.Name
			}
			return true
		})
		if got != test.want {
			t.Errorf("%s: the longest is %q, want %q", test.phases, got, test.want)
		}
	}
}

func TestBadTraces(t *testing.T) {
	deep := create
	for range maxDepth + 1 {
		deep += `,{"ph":"X","name":"x","ts":20000,"dur":5,"pid":7,"tid":7}` + "\n"
	}
	for _, test := range []struct{ text, want string }{
		{"", "not a trace (berth --trace FILE writes one)"},
		{"hello", "not a trace"},
		{`{"traceEvents":[]}`, "not a trace"},
		{create[:len(create)-20], "line 8: the trace is cut off here"},
		{create + ",", "the trace is cut off here"},
		{create + ",{}", `line 9: an event of kind "", which`},
		{create + `,{"ph":"B"}`, `an event of kind "B", which berth's traces do not have`},
		{create + `,{"ph":"X","pid":8}`, "line 9: process 8 has no name"},
		{create + `,{"ph":"X","name":"a","pid":7,"tid":7}`, `phase "a" has no start or no duration`},
		{create + `,{"ph":"X","name":"a","ts":1,"dur":-1,"pid":7,"tid":7}`, `phase "a" has an impossible time`},
		{create + `,{"ph":"X","name":"a","ts":1e300,"dur":1,"pid":7,"tid":7}`, "impossible time"},
		{create + `,{"ph":"X","name":"a","ts":1,"dur":1,"pid":7,"tid":1}`, "track 1, which has no name"},
		{create + `,{"ph":"X","name":1}`, "line 9: json: cannot unmarshal number"},
		{create + `,nonsense`, "line 9: invalid character"},
		{create + `] []`, "something after the end of the trace"},
		{create + `}`, "line 9: invalid character"},
		{deep, "phases that are more than 50 levels deep"},
	} {
		if _, err := parse([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.80q…: %v, want %q", test.text[max(0, len(test.text)-80):], err, test.want)
		}
	}
}

// TestHostileText: what is in a trace does not control the terminal.
func TestHostileText(t *testing.T) {
	text := strings.NewReplacer("berth create box", `\u001b]0;x\u0007`, "create", `a\nb`, "no such device", strings.Repeat(`\u001b[2J`, 200)).Replace(create)
	got := Table(parsed(t, text), Style{})
	if strings.ContainsAny(got, "\x1b\x07") || !strings.Contains(got, `a\nb`) {
		t.Errorf("prints %q", got)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("b.json", create)
	a := write("a.json", "["+list[1:])
	write("README", "not read")
	commands, err := Read([]string{dir, a})
	if err != nil || len(commands) != 3 || commands[0].Name != "berth create box" || commands[2].Name != "berth list" {
		t.Errorf("%d commands, %v", len(commands), err)
	}
	// One that is running has written only its name.
	running := write("c.json", strings.SplitAfter(create, "\n")[0])
	if commands, err = Read([]string{running}); err != nil || !strings.Contains(Table(commands, Style{}), "no phases (it is running, or was killed)") {
		t.Errorf("%v, %v", commands, err)
	}
	huge := write("huge.json", "")
	if err := os.Truncate(huge, maxFile+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/dev/zero": "/dev/zero: neither a regular file nor a directory", dir + "/none": "no such file",
		t.TempDir(): "no trace in this directory", huge: "huge.json: more than 64 MiB", dir + "/README": "README: not a trace",
	} {
		if _, err := Read([]string{path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// TestOwnTraces reads what package trace writes.
func TestOwnTraces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.json")
	for _, name := range []string{"create", "start"} {
		tr, err := trace.Open(path, trace.Command{Program: "berth", Name: name, Container: "x"})
		if err != nil {
			t.Fatal(err)
		}
		outer := tr.Begin(trace.Runtime, "outer")
		inner := tr.Begin(trace.Runtime, "inner")
		_ = inner.End(nil)
		_ = outer.End(nil)
		if err := tr.Close(); err != nil {
			t.Fatal(err)
		}
	}
	commands, err := Read([]string{path})
	if err != nil || len(commands) != 2 {
		t.Fatalf("%d commands, %v", len(commands), err)
	}
	for _, c := range commands {
		if len(c.Tracks) != 1 || len(c.Tracks[0].Phases) != 1 || len(c.Tracks[0].Phases[0].Phases) != 1 {
			t.Errorf("%s", Table(commands, Style{}))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(create + list)
	f.Add(create + "]")
	f.Add(create + `,{"ph":"X","name":"a","ts":1e14,"dur":0,"pid":7,"tid":7}`)
	f.Fuzz(func(t *testing.T, text string) {
		commands, err := parse([]byte(text))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q", err)
			}
			return
		}
		if got := Table(commands, Style{}); strings.ContainsRune(got, '\x1b') {
			t.Errorf("%q", got)
		}
		if _, err := JSON(commands, time.Millisecond); err != nil {
			t.Error(err)
		}
	})
}
