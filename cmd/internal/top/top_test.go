// SPDX-License-Identifier: Apache-2.0

package top

import (
	"encoding/json"
	"strings"
	"testing"
)

func ptr[T any](v T) *T { return &v }

func sample() *Sample {
	return &Sample{Rows: []Row{
		{
			ID: "web", Status: "running", CPU: ptr(12.34), Memory: ptr(uint64(10 << 20)), MemoryLimit: ptr(uint64(64 << 20)), MemoryPercent: ptr(15.6),
			MemoryPeak: ptr(uint64(12 << 20)), PressureCPU: ptr(1.5), PressureMemory: ptr(0.0), PressureIO: ptr(9.0), Tasks: ptr(uint64(4)),
			Read: ptr(uint64(999)), Written: ptr(uint64(1 << 40)), Received: ptr(uint64(1000)), Sent: ptr(uint64(0)), OOMKills: ptr(uint64(2)),
		},
		{ID: "none", Status: "running"},
		{ID: "db", Status: "paused", CPU: ptr(0.0), Memory: ptr(uint64(1 << 30))},
	}}
}

func TestTable(t *testing.T) {
	const want = `
ID             CPU %    MEMORY     LIMIT   MEM %      PEAK    PSI C/M/I   TASKS         IO R/W        NET R/S   OOM
web             12.3     10.0M     64.0M    15.6     12.0M  1.5/0.0/9.0       4      999B/1.0T        1.0K/0B     2
none               -         -         -       -         -            -       -              -              -     -
db (paused)      0.0      1.0G         -       -         -            -       -              -              -     -
`
	if got := "\n" + sample().Text(); got != want {
		t.Errorf("prints%swant%s", got, want)
	}
	if lines := (&Sample{}).Lines(); len(lines) != 1 {
		t.Errorf("nothing is %q", lines)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[uint64]string{0: "0B", 999: "999B", 1000: "1.0K", 1023: "1.0K", 102348: "99.9K", 102400: "100K", 1<<64 - 1: "16.0E"} {
		if got := bytes(&n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestSort(t *testing.T) {
	want := map[string]string{
		"cpu": "web db none", "memory": "db web none", "percent": "web db none", "peak": "web db none", "pressure": "web db none",
		"tasks": "web db none", "io": "web db none", "network": "web db none", "oom": "web db none", "id": "db none web",
	}
	for _, k := range Keys() {
		for _, reverse := range []bool{false, true} {
			s := sample()
			s.Sort(k, reverse)
			var ids []string
			for _, r := range s.Rows {
				ids = append(ids, r.ID)
			}
			got := strings.Join(ids, " ")
			if !reverse && got != want[k.Name] || reverse && !strings.HasSuffix(got, strings.Fields(want[k.Name])[0]) {
				t.Errorf("by %s, reversed %v: %s", k.Name, reverse, got)
			}
		}
	}
	if len(Keys()) != len(want) {
		t.Errorf("%d keys", len(Keys()))
	}
	if _, err := FindKey("bogus"); err == nil || !strings.Contains(err.Error(), `unknown key "bogus", must be one of cpu, memory,`) {
		t.Error(err)
	}
}

// TestKeys: each column that is marked exists, and no key has two meanings.
func TestKeys(t *testing.T) {
	seen := map[rune]bool{'q': true, 'r': true}
	heading := (&Sample{}).Lines()[0]
	for _, k := range Keys() {
		if seen[k.Rune] || !strings.Contains(heading, k.Column) {
			t.Errorf("key %c, column %q", k.Rune, k.Column)
		}
		seen[k.Rune] = true
	}
}

// TestJSON: berth-top reads what berth has written.
func TestJSON(t *testing.T) {
	text, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var s Sample
	if err := json.Unmarshal(text, &s); err != nil || s.Text() != sample().Text() {
		t.Errorf("%v\n%s", err, s.Text())
	}
}
