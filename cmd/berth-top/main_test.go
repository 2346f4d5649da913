// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"

	"github.com/berth-run/berth/cmd/internal/top"
)

// newView returns a view on a simulated screen.
func newView(t *testing.T, width, height int) (*view, tcell.SimulationScreen) {
	t.Helper()
	screen := tcell.NewSimulationScreen("UTF-8")
	if err := screen.Init(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(screen.Fini)
	screen.SetSize(width, height)
	return &view{screen: screen, key: top.Keys()[0]}, screen
}

func containers(n int) *top.Sample {
	s := &top.Sample{}
	for i := range n {
		cpu, kills := float64(i), uint64(i%2)
		s.Rows = append(s.Rows, top.Row{ID: fmt.Sprintf("box%02d", i), Status: "running", CPU: &cpu, OOMKills: &kills})
	}
	return s
}

// lines returns what is on the screen.
func lines(screen tcell.SimulationScreen) []string {
	cells, width, height := screen.GetContents()
	all := make([]string, height)
	for y := range height {
		var b strings.Builder
		for _, c := range cells[y*width : (y+1)*width] {
			b.WriteString(string(c.Runes))
		}
		all[y] = strings.TrimRight(b.String(), " ")
	}
	return all
}

func TestView(t *testing.T) {
	v, screen := newView(t, 60, 8)
	v.draw()
	if got := lines(screen); got[0] != "berth top: measuring ..." {
		t.Errorf("at first: %q", got)
	}
	v.show(containers(9))
	first := func() string {
		v.draw()
		id, _, _ := strings.Cut(lines(screen)[2], " ")
		return id
	}
	press := func(key tcell.Key, r rune) bool { return v.handle(tcell.NewEventKey(key, r, tcell.ModNone)) }
	steps := []struct {
		key  tcell.Key
		r    rune
		want string
	}{
		{tcell.KeyUp, 0, "box08"}, // by CPU; there is nothing above
		{tcell.KeyDown, 0, "box07"},
		{tcell.KeyEnd, 0, "box04"},
		{tcell.KeyPgUp, 0, "box08"},
		{tcell.KeyPgDn, 0, "box04"},
		{tcell.KeyHome, 0, "box08"},
		{tcell.KeyRune, 'r', "box00"},
		{tcell.KeyRune, 'd', "box00"},
		{tcell.KeyRune, 'o', "box01"},
		{tcell.KeyRune, 'X', "box01"},
		{tcell.KeyRune, 'c', "box08"},
	}
	for _, step := range steps {
		if press(step.key, step.r) {
			t.Errorf("%v %q quits", step.key, step.r)
		}
		if got := first(); got != step.want {
			t.Errorf("%v %q: %s is first, want %s", step.key, step.r, got, step.want)
		}
	}
	press(tcell.KeyRight, 0)
	if got := first(); strings.HasPrefix(got, "box") {
		t.Errorf("not scrolled to the right: %q", lines(screen))
	}
	press(tcell.KeyLeft, 0)
	for _, size := range [][2]int{{200, 30}, {5, 2}, {1, 1}, {60, 8}} {
		screen.SetSize(size[0], size[1])
		v.handle(tcell.NewEventResize(size[0], size[1]))
		v.draw()
	}
	if got := lines(screen); !strings.HasPrefix(got[0], "berth top  ") || !strings.Contains(got[0], "9 containers  by cpu") || !strings.HasPrefix(got[7], "q quit") {
		t.Errorf("the screen is %q", got)
	}
	if !press(tcell.KeyRune, 'q') || !press(tcell.KeyEscape, 0) || !press(tcell.KeyCtrlC, 0) {
		t.Error("does not quit")
	}
}

func TestColour(t *testing.T) {
	for _, colour := range []bool{false, true} {
		v, screen := newView(t, 60, 8)
		v.colour = colour
		v.show(containers(2))
		v.draw()
		cells, _, _ := screen.GetContents()
		coloured := false
		for _, c := range cells {
			fg, bg, _ := c.Style.Decompose()
			coloured = coloured || fg != tcell.ColorDefault || bg != tcell.ColorDefault
		}
		if coloured != colour {
			t.Errorf("with NO_COLOR %v, the screen has colours: %v", !colour, coloured)
		}
	}
}

func TestParse(t *testing.T) {
	key, command, err := parse([]string{"--sort", "memory", "--", "berth", "top"})
	if err != nil || key.Name != "memory" || len(command) != 2 {
		t.Errorf("%v, %q, %v", key.Name, command, err)
	}
	for _, args := range [][]string{nil, {"--"}, {"--sort"}, {"berth"}, {"--sort", "bogus", "--", "x"}} {
		if _, _, err := parse(args); err == nil {
			t.Errorf("%q is no error", args)
		}
	}
}

func TestFeed(t *testing.T) {
	line, err := json.Marshal(containers(3))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		script  string
		samples int
		want    string
	}{
		{"printf '%s\\n' \"$0\" \"$0\"", 2, ""},
		{"printf '%s\\n' \"$0\"; echo no root >&2; echo usage >&2; exit 1", 1, "no root"},
		{"exit 3", 0, "exit status 3"},
		{"echo nonsense", 0, "the numbers cannot be read: invalid character"},
	} {
		f, err := startFeed([]string{"/bin/sh", "-c", test.script, string(line)})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for s := range f.samples {
			if n++; len(s.Rows) != 3 {
				t.Errorf("%d rows", len(s.Rows))
			}
		}
		err = f.wait()
		f.stop()
		if n != test.samples || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %d samples, %v", test.script, n, err)
		}
	}
	if _, err := startFeed([]string{"/nonexistent"}); err == nil {
		t.Error("a command that is not there is no error")
	}
	f, err := startFeed([]string{"/bin/sh", "-c", "while :; do printf '%s\\n' \"$0\"; done", string(line)})
	if err != nil {
		t.Fatal(err)
	}
	<-f.samples
	f.stop() // does not wait for the loop to end
}
