// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"fmt"
	"strings"
)

// Journal keeps the content of files before they are written, so that an update that fails
// half-way can be undone.
type Journal struct{ entries []journalEntry }

type journalEntry struct {
	dir    Dir
	file   string
	old    string
	values []string // that restore the old content
}

// note reads file before values are written to it. A file that cannot be read cannot be
// restored. Most likely it cannot be written either, and that will be reported.
func (j *Journal) note(d Dir, file string, values []string) {
	old, err := d.Read(file)
	if err != nil {
		return
	}
	j.entries = append(j.entries, journalEntry{d, file, old, restoring(file, old, values)})
}

// restoring returns the values to write to restore a file from written to old.
func restoring(file, old string, written []string) []string {
	switch {
	case file == "memory.oom_control":
		value, _ := Event(old, "oom_kill_disable")
		return []string{value}
	case old == "" && fallback(file) == "":
		return []string{"\n"} // cpuset.cpus: writing zero bytes does nothing
	}
	var values []string
	for line := range strings.Lines(old) {
		values = append(values, strings.TrimSuffix(line, "\n"))
	}
	none := fallback(file)
	if none == "" {
		return values
	}
	// In a file with a line for each device, a device that was not listed had no limit.
	for _, w := range written {
		device, _, _ := strings.Cut(w, " ")
		listed := false
		for _, v := range values {
			listed = listed || strings.HasPrefix(v, device+" ")
		}
		if !listed {
			values = append(values, device+" "+none)
		}
	}
	return values
}

// fallback is the value that means no limit in a file with a line for each
// device; "" for other files.
func fallback(file string) string {
	switch {
	case strings.HasPrefix(file, "blkio.throttle."):
		return "0"
	case file == "io.max":
		return "rbps=max wbps=max riops=max wiops=max"
	case file == "io.weight", file == "io.bfq.weight":
		return "default"
	case file == "rdma.max":
		return "hca_handle=max hca_object=max"
	}
	return ""
}

// Undo restores everything in reverse order: the kernel has accepted each of these states
// before. Failures are added to cause, on the same line, because engines show one line.
func (j *Journal) Undo(cause error) error {
	for i := len(j.entries) - 1; i >= 0; i-- {
		e := &j.entries[i]
		if now, err := e.dir.Read(e.file); err == nil && now == e.old {
			continue // the kernel may refuse even the present value, for example the shares of an idle cgroup
		}
		if err := e.dir.WriteEach(e.file, e.values...); err != nil {
			cause = fmt.Errorf("%w (then, bring back the previous value: %w)", cause, err)
		}
	}
	return cause
}
