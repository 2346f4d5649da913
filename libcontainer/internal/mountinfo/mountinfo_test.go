// SPDX-License-Identifier: Apache-2.0

package mountinfo

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const table = `22 27 0:21 / /proc rw,nosuid shared:7 master:1 - proc proc rw
32 31 0:29 / /with\040blank\134 rw - cgroup some\040thing rw,cpu,cpuacct
33 22 0:4 net:[4026531840] /run/netns/x rw shared:8 - nsfs nsfs rw
34 22 0:30 /a\011b /c rw - tmpfs - rw
35 22 0:31 / /last rw - tmpfs tmpfs
36 22 0:32 / relative rw - tmpfs tmpfs rw
37 22 0:33 /
38 22 0:34 / /cut
bad line - proc
 - sysfs

`

func TestAll(t *testing.T) {
	want := []Mount{
		{ID: "22", Parent: "27", Device: "0:21", Root: "/", Point: "/proc", Flags: "rw,nosuid", Peers: "shared:7 master:1", Type: "proc", Source: "proc", Options: "rw"},
		{ID: "32", Parent: "31", Device: "0:29", Root: "/", Point: `/with blank\`, Flags: "rw", Type: "cgroup", Source: "some thing", Options: "rw,cpu,cpuacct"},
		{ID: "33", Parent: "22", Device: "0:4", Root: "net:[4026531840]", Point: "/run/netns/x", Flags: "rw", Peers: "shared:8", Type: "nsfs", Source: "nsfs", Options: "rw"},
		{ID: "34", Parent: "22", Device: "0:30", Root: "/a\tb", Point: "/c", Flags: "rw", Type: "tmpfs", Source: "-", Options: "rw"},
		{ID: "35", Parent: "22", Device: "0:31", Root: "/", Point: "/last", Flags: "rw", Type: "tmpfs", Source: "tmpfs"},
	}
	if got := slices.Collect(All(table)); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for m := range All(table) { // stops when the loop breaks
		if m.ID != "22" {
			t.Errorf("began with %q", m)
		}
		break
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"":               "",
		"plain":          "plain",
		`a\040b`:         "a b",
		`\011\012\134`:   "\t\n\\",
		`\134040`:        `\040`,
		`\04`:            `\04`,
		`\0`:             `\0`,
		`end\`:           `end\`,
		`\080 \800 \008`: `\080 \800 \008`,
		`\/00 \0/0 \00/`: `\/00 \0/0 \00/`,
		"x040":           "x040",
		`\377`:           "\xff",
	} {
		if got := unescape(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestOwn: nothing in a real table is skipped.
func TestOwn(t *testing.T) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(slices.Collect(All(string(text)))), strings.Count(string(text), "\n"); got != want {
		t.Errorf("%d mounts of %d", got, want)
	}
}

func FuzzAll(f *testing.F) {
	f.Add(table)
	f.Fuzz(func(t *testing.T, table string) {
		for m := range All(table) {
			if !strings.HasPrefix(m.Point, "/") || strings.Contains(m.ID+m.Parent+m.Type, " ") {
				t.Errorf("%q", m)
			}
		}
	})
}
