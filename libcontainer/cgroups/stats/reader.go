// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"golang.org/x/sys/unix"
)

// Reader reads the files of one cgroup. After the first error, which is in Err, all results are
// zero.
type Reader struct {
	Dir cgroupfs.Dir
	Err error
}

// text reads a file. ok is false if it does not exist, or the kernel has it but does not
// support it (PSI is off, the cgroup is threaded).
func (r *Reader) text(file string) (text string, ok bool) {
	if r.Err != nil || r.Dir == "" {
		return "", false
	}
	text, err := r.Dir.Read(file)
	switch {
	case err == nil:
		return text, true
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EOPNOTSUPP):
		return "", false
	}
	r.Err = fmt.Errorf("cgroup %s: %w", r.Dir, err)
	return "", false
}

// parse passes the content of a file to a parser.
func parse[T any](r *Reader, file string, parser func(string) (T, error)) (v T) {
	text, ok := r.text(file)
	if !ok {
		return v
	}
	v, err := parser(text)
	if err != nil {
		r.Err = fmt.Errorf("cgroup %s: %s: %w", r.Dir, file, err)
	}
	return v
}

// Has reports whether the file exists.
func (r *Reader) Has(file string) bool {
	return r.Dir != "" && unix.Access(string(r.Dir)+"/"+file, unix.F_OK) == nil
}

// Number reads one number.
func (r *Reader) Number(file string) uint64 { return parse(r, file, parseNumber) }

// Flat reads lines of a key and a number.
func (r *Reader) Flat(file string) map[string]uint64 { return parse(r, file, parseFlat) }

// List reads numbers in one line.
func (r *Reader) List(file string) []uint64 { return parse(r, file, parseList) }

// Ranges reads a set of CPUs or memory nodes.
func (r *Reader) Ranges(file string) []uint16 { return parse(r, file, parseRanges) }

// PSI reads a pressure file. It returns nil if the kernel has none (needs CONFIG_PSI, cgroup
// v2, and psi=1 if a distribution turned it off).
func (r *Reader) PSI(file string) *PSI { return parse(r, file, parsePressure) }

// Blkio reads the first of files that is not empty: the names depend on the kernel and the I/O
// scheduler, and the files of other schedulers are empty.
func (r *Reader) Blkio(files ...string) []BlkioEntry {
	for _, file := range files {
		if entries := parse(r, file, parseBlkio); len(entries) > 0 {
			return entries
		}
	}
	return nil
}

// IOStat reads io.stat of v2.
func (r *Reader) IOStat() Blkio { return parse(r, "io.stat", parseIOStat) }

// PerCPU reads cpuacct.usage_all of v1 (needs Linux 4.9).
func (r *Reader) PerCPU() (user, kernel []uint64) {
	type times struct{ user, kernel []uint64 }
	t := parse(r, "cpuacct.usage_all", func(text string) (t times, err error) {
		t.user, t.kernel, err = parsePerCPU(text)
		return t, err
	})
	return t.user, t.kernel
}

// PageSizes returns the huge page sizes ("2MB") that the cgroup counts. suffix is the last part
// of the name of their files.
func (r *Reader) PageSizes(suffix string) []string {
	if r.Err != nil || r.Dir == "" {
		return nil
	}
	entries, err := os.ReadDir(string(r.Dir))
	if err != nil {
		return nil // The cgroup has gone.
	}
	var sizes []string
	for _, e := range entries {
		size, isHugetlb := strings.CutPrefix(e.Name(), "hugetlb.")
		size, isUsage := strings.CutSuffix(size, "."+suffix)
		if isHugetlb && isUsage && !strings.Contains(size, ".") { // hugetlb.2MB.rsvd.… counts reservations
			sizes = append(sizes, size)
		}
	}
	return sizes
}

// Found returns a number of a flat file, nil if the file does not have it.
func Found(flat map[string]uint64, key string) *uint64 {
	n, ok := flat[key]
	if !ok {
		return nil
	}
	return &n
}
