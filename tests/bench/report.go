// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
)

// print shows one mode's table.
func (r *results) print(w io.Writer, mode string, c *config) error {
	gaps := "back to back"
	if mode == "calm" {
		gaps = fmt.Sprintf("gaps of %v to %v", c.minGap, c.maxGap)
	}
	fmt.Fprintf(w, "\n%s: %s\n", mode, gaps)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "\t")
	for _, rt := range c.runtimes {
		fmt.Fprintf(tw, "%s\t\t", rt.name)
	}
	fmt.Fprintln(tw)
	for _, row := range r.rows {
		fmt.Fprintf(tw, "%s\t", row)
		for _, rt := range c.runtimes {
			fmt.Fprint(tw, r.cell(row, rt.name, c.runtimes[0].name))
		}
		fmt.Fprintln(tw)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, n := range r.notes {
		fmt.Fprintln(w, n)
	}
	return nil
}

// cell is one runtime's part of a row.
func (r *results) cell(row, name, base string) string {
	values := sorted(r.times[row][name])
	if len(values) == 0 {
		return "-\t\t"
	}
	ratio := ""
	if ref := sorted(r.times[row][base]); len(ref) > 0 && name != base {
		ratio = fmt.Sprintf("x%.2f", median(values)/median(ref))
	}
	return fmt.Sprintf("%.2f (%.2f)\t%s\t", median(values), percentile(values, 0.9), ratio)
}

// memory shows the most memory that create takes: of the runtime's own processes,
// and of what is charged to the container's cgroup while it waits for start.
func memory(w io.Writer, c *config) error {
	fmt.Fprint(w, "\nmemory of create, in KiB\n")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "\t")
	rss, peak := "largest process of the runtime\t", "peak of the container's cgroup\t"
	for _, rt := range c.runtimes {
		fmt.Fprintf(tw, "%s\t", rt.name)
		r, p, err := memoryOf(rt)
		if err != nil {
			return err
		}
		rss += r + "\t"
		peak += p + "\t"
	}
	fmt.Fprintf(tw, "\n%s\n%s\n", rss, peak)
	return tw.Flush()
}

// memoryOf creates a container and looks.
func memoryOf(rt *runtime) (rss, peak string, err error) {
	id := newID()
	dir, err := rt.bundle(id, "/bin/true")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(dir)
	rss, err = rt.peakRSS(dir, "create", id)
	if err != nil {
		return "", "", err
	}
	peak = "-"
	for _, file := range []string{"/sys/fs/cgroup/memory/berth-bench/" + id + "/memory.max_usage_in_bytes", filepath.Join("/sys/fs/cgroup/berth-bench", id, "memory.peak")} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // the other version, or no memory controller
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		if err != nil {
			return "", "", fmt.Errorf("%s: %w", file, err)
		}
		peak = strconv.FormatInt(n>>10, 10)
	}
	_, err = rt.call(dir, "delete", "--force", id)
	return rss, peak, err
}
