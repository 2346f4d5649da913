// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"encoding/binary"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/berth-run/berth/nsenter/internal/wire"
)

// fact returns a record of init.
func fact(step uint32, errno int32, detail string) string {
	r := wire.Report{Magic: wire.Magic, Kind: wire.Fact, Step: step, Error: errno, DetailSize: uint32(len(detail))}
	return string(wire.Bytes(&r)) + detail
}

func pathFact(mode uint32, errno int32, path string) string {
	p := wire.Path{Mode: mode, UID: 1, GID: 2, Flags: wire.PathNoexec, Dev: 3, Ino: 4}
	return fact(wire.FactPath, errno, string(wire.Bytes(&p))+path)
}

// dirent returns an entry of getdents64(2).
func dirent(name string) string {
	size := 19 + len(name) + 1
	b := make([]byte, size)
	binary.NativeEndian.PutUint16(b[16:], uint16(size))
	copy(b[19:], name)
	return string(b)
}

// collect gives the records to a factReader, and returns what it makes of them.
func collect(data string) []Fact {
	c := newFactReader()
	for rest := []byte(data); ; {
		r, detail, after, err := parseReport(rest)
		if err != nil || r == nil || !c.add(r, detail) {
			return c.facts
		}
		rest = after
	}
}

func TestFacts(t *testing.T) {
	facts := collect(pathFact(0o100755, 0, "/a") + fact(wire.FactHead, 0, "#!/b") + fact(wire.FactNext, 0, "/b") +
		pathFact(0, int32(syscall.ENOENT), "/b") + fact(wire.FactNames, 0, dirent(".")+dirent("..")+dirent("bb")+dirent("c")) +
		fact(wire.FactLink, 0, "x") + fact(wire.FactsEnd, 0, "") + pathFact(0, 0, "/never"))
	if len(facts) != 2 {
		t.Fatalf("%+v", facts)
	}
	a, b := facts[0], facts[1]
	if a.Path != "/a" || a.Mode != 0o100755 || a.UID != 1 || a.GID != 2 || !a.Noexec || a.Dev != 3 || a.Ino != 4 || string(a.Head) != "#!/b" || a.Next != "/b" {
		t.Errorf("%+v", a)
	}
	if b.Path != "/b" || b.Errno != syscall.ENOENT || b.Link != "x" || !slices.Equal(b.Names, []string{"bb", "c"}) {
		t.Errorf("%+v", b)
	}
	// Names of the directories of PATH come without a path.
	if facts = collect(fact(wire.FactNames, 0, dirent("x"))); len(facts) != 1 || facts[0].Path != "" || !slices.Equal(facts[0].Names, []string{"x"}) {
		t.Errorf("%+v", facts)
	}
}

// TestFactsBounded: whoever traces init can send anything.
func TestFactsBounded(t *testing.T) {
	many := strings.Repeat(fact(wire.FactNames, 0, strings.Repeat(dirent("n"), 100)), 2*maxNames/100)
	if facts := collect(many); len(facts[0].Names) != maxNames {
		t.Errorf("%d names", len(facts[0].Names))
	}
	if facts := collect(strings.Repeat(pathFact(0, 0, "/"), 2*maxFacts)); len(facts) != maxFacts {
		t.Errorf("%d facts", len(facts))
	}
	for _, data := range []string{
		fact(wire.FactPath, 0, "short"), fact(wire.FactHead, 0, "without a path"), fact(99, 0, ""),
		pathFact(0, 0, "") + fact(99, 0, ""),
	} {
		for _, f := range collect(data) {
			if f.Path != "" || f.Head != nil {
				t.Errorf("%q: %+v", data, f)
			}
		}
	}
}

func FuzzFacts(f *testing.F) {
	f.Add(pathFact(0o100755, 0, "/a") + fact(wire.FactHead, 0, "\x7fELF"))
	f.Add(fact(wire.FactNames, 0, dirent("x")))
	f.Fuzz(func(_ *testing.T, data string) {
		collect(data)
		c := newFactReader()
		var last Fact
		c.addNames(&last, []byte(data))
	})
}
