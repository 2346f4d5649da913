// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
)

// check compares the result of a parser for a text. If want is nil an error is expected.
func check[T any](t *testing.T, name string, parser func(string) (T, error), text string, want any) {
	t.Helper()
	got, err := parser(text)
	if want == nil {
		if err == nil {
			t.Errorf("%s(%q) = %v, want an error", name, text, got)
		}
		return
	}
	if err != nil || !reflect.DeepEqual(any(got), want) {
		t.Errorf("%s(%q) = %v, %v, want %v", name, text, got, err, want)
	}
}

func TestParse(t *testing.T) {
	check(t, "number", parseNumber, "9223372036854771712", uint64(9223372036854771712))
	check(t, "number", parseNumber, "max", uint64(math.MaxUint64))
	check(t, "number", parseNumber, "-1", uint64(math.MaxUint64))
	check(t, "number", parseNumber, "", nil)
	check(t, "number", parseNumber, "7 8", nil)
	check(t, "number", parseNumber, "18446744073709551616", nil)
	check(t, "flat", parseFlat, "user 3\nsystem 4\n", map[string]uint64{"user": 3, "system": 4})
	check(t, "flat", parseFlat, "", map[string]uint64{})
	check(t, "flat", parseFlat, "\nuser 3\n\n", map[string]uint64{"user": 3})
	check(t, "flat", parseFlat, "user\n", nil)
	check(t, "flat", parseFlat, "user x\n", nil)
	check(t, "list", parseList, "13214137 1882755 ", []uint64{13214137, 1882755})
	check(t, "list", parseList, "1 x", nil)
	check(t, "ranges", parseRanges, "0-2,7", []uint16{0, 1, 2, 7})
	check(t, "ranges", parseRanges, "", []uint16(nil))
	check(t, "ranges", parseRanges, "2-0", nil)
	check(t, "ranges", parseRanges, "0-65536", nil)
	check(t, "ranges", parseRanges, "0-65535,0-65535", nil)
	check(t, "pressure", parsePressure, "some avg10=1.50 avg60=0.20 avg300=0.03 total=9978\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
		&PSI{Some: Pressure{1.5, 0.2, 0.03, 9978}, Full: Pressure{Total: 7}})
	check(t, "pressure", parsePressure, "some avg10=NaN total=1\n", nil)
	check(t, "pressure", parsePressure, "some avg60=inf total=1\n", nil)
	check(t, "pressure", parsePressure, "some total=x\n", nil)
	check(t, "pressure", parsePressure, "\nother avg10=1\nfull total=2\n", &PSI{Full: Pressure{Total: 2}})
	check(t, "blkio", parseBlkio, "8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n",
		[]BlkioEntry{{8, 0, "Read", 4096}, {8, 0, "Total", 4096}})
	check(t, "blkio", parseBlkio, "253:1 12\n", []BlkioEntry{{253, 1, "", 12}})
	check(t, "blkio", parseBlkio, "Total 0\n", []BlkioEntry(nil))
	check(t, "blkio", parseBlkio, "\n8:0\n8:1 3\n", []BlkioEntry{{8, 1, "", 3}})
	check(t, "blkio", parseBlkio, "8 Read 1\n", nil)
	check(t, "io.stat", parseIOStat, "259:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0 cost.usage=3\n7:0\n", Blkio{
		ServiceBytes: []BlkioEntry{{259, 0, "Read", 4096}, {259, 0, "Write", 0}, {259, 0, "Discard", 0}},
		Serviced:     []BlkioEntry{{259, 0, "Read", 1}, {259, 0, "Write", 0}, {259, 0, "Discard", 0}},
	})
	check(t, "io.stat", parseIOStat, "259:0 rbytes=x\n", nil)
}

func TestParsePerCPU(t *testing.T) {
	user, kernel, err := parsePerCPU("cpu user system\n0 0 12000000\n\n1 5 4000000\n")
	if err != nil || !slices.Equal(user, []uint64{0, 5}) || !slices.Equal(kernel, []uint64{12000000, 4000000}) {
		t.Errorf("got %v, %v, %v", user, kernel, err)
	}
	if _, _, err := parsePerCPU("cpu user system\n0 1\n"); err == nil {
		t.Error("a line without the kernel's time is no error")
	}
}

// TestReader: a missing file is zero, the first malformed one is an error.
func TestReader(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good": "7\n", "bad": "seven\n", "hugetlb.2MB.current": "1\n", "hugetlb.2MB.rsvd.current": "1\n", "hugetlb.1GB.current": "0\n",
		"hugetlb.2MB.events": "max 0\n", "memory.current": "3\n",
		"empty": "", "lines": "8:0 Read 1\n", "pressure": "some total=4\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := &Reader{Dir: cgroupfs.Dir(dir)}
	if n := r.Number("good") + r.Number("missing"); n != 7 || r.Err != nil {
		t.Errorf("got %d, %v", n, r.Err)
	}
	if sizes := r.PageSizes("current"); !slices.Equal(sizes, []string{"1GB", "2MB"}) {
		t.Errorf("page sizes %q", sizes)
	}
	if entries := r.Blkio("missing", "empty", "lines"); len(entries) != 1 {
		t.Errorf("block I/O %v", entries)
	}
	if psi := r.PSI("missing"); psi != nil {
		t.Errorf("pressure %v of no file", psi)
	}
	if psi := r.PSI("pressure"); psi == nil || psi.Some.Total != 4 {
		t.Errorf("pressure %v", psi)
	}
	if r.Number("bad"); r.Err == nil {
		t.Error("no error")
	}
	if n, sizes := r.Number("good"), r.PageSizes("current"); n != 0 || sizes != nil {
		t.Errorf("after an error: %d, %q", n, sizes)
	}
}

// FuzzParse: no file content makes a parser panic or hang.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"max", "0-2,7", "user 3\nsystem 4\n", "cpu user system\n0 1 2\n", "8:0 Read 1\nTotal 1\n",
		"some avg10=1.50 avg60=0.20 avg300=0.03 total=9978\n", "259:0 rbytes=1 wios=2\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = parseNumber(text)
		_, _ = parseFlat(text)
		_, _ = parseList(text)
		_, _, _ = parsePerCPU(text)
		if set, err := parseRanges(text); err != nil && set != nil {
			t.Error("a set and an error")
		}
		psi, err := parsePressure(text)
		if err == nil && (math.IsNaN(psi.Some.Avg10) || math.IsInf(psi.Full.Avg300, 0)) {
			t.Errorf("%q: %v is not JSON", text, psi)
		}
		_, _ = parseBlkio(text)
		_, _ = parseIOStat(text)
	})
}
