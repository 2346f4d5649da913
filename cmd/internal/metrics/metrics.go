// SPDX-License-Identifier: Apache-2.0

// Package metrics writes what containers use as OpenMetrics text, version 1.0, which Prometheus
// reads (https://github.com/prometheus/OpenMetrics).
//
// It is written by hand, because a client library would be linked into berth for the sake of one
// option. A test has the reference parser read it.
package metrics

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer"
)

const prefix = "berth_container"

// The kinds of metric families.
const (
	counter  = "counter"
	gauge    = "gauge"
	info     = "info"
	stateset = "stateset"
)

// family is a metric family. Its name ends in its unit, if it has one; the names of a counter's
// samples end in _total besides.
type family struct {
	name, kind, unit, help string
	// samples adds the samples of one container.
	samples func(add adder, u *libcontainer.Usage)
	// withoutCgroup is set if samples needs no statistics of a cgroup.
	withoutCgroup bool
}

// adder adds a sample. labels are names and values, after the container's id.
type adder func(value float64, labels ...string)

// Text returns the metrics of the containers.
func Text(usages []*libcontainer.Usage) string {
	var b strings.Builder
	for _, f := range families() {
		f.write(&b, usages)
	}
	b.WriteString("# EOF\n")
	return b.String()
}

// write writes the family, unless no container has a sample of it.
func (f *family) write(b *strings.Builder, usages []*libcontainer.Usage) {
	name := prefix + f.name
	var samples strings.Builder
	for _, u := range usages {
		if u.Stats == nil && !f.withoutCgroup {
			continue
		}
		f.samples(func(value float64, labels ...string) {
			fmt.Fprintf(&samples, "%s%s{id=\"%s\"", name, f.suffix(), escape(u.State.ID))
			for i := 0; i+1 < len(labels); i += 2 {
				fmt.Fprintf(&samples, ",%s=\"%s\"", labels[i], escape(labels[i+1]))
			}
			samples.WriteString("} " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
		}, u)
	}
	if samples.Len() == 0 {
		return
	}
	fmt.Fprintf(b, "# TYPE %s %s\n", name, f.kind)
	if f.unit != "" {
		fmt.Fprintf(b, "# UNIT %s %s\n", name, f.unit)
	}
	fmt.Fprintf(b, "# HELP %s %s\n%s", name, f.help, samples.String())
}

func (f *family) suffix() string {
	switch f.kind {
	case counter:
		return "_total"
	case info:
		return "_info"
	}
	return ""
}

// escape escapes the value of a label. It must be UTF-8, which a path need not be.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(text, "\ufffd"))
}

const (
	nanosPerSecond  = 1e9
	microsPerSecond = 1e6
)

// unlimited is the least number that means no limit: cgroup v1 rounds the largest number of int64
// down to a page.
const unlimited = math.MaxInt64 - 1<<20

// hasLimit reports whether the kernel's number is a limit.
func hasLimit(n uint64) bool { return n > 0 && n < unlimited }

// blkio adds the numbers of each device and operation. The kernel's totals are their sums.
func blkio(add adder, entries []libcontainer.BlkioEntry) {
	type key struct{ device, operation string }
	var order []key
	sums := map[key]uint64{}
	for _, e := range entries {
		switch e.Op {
		case "Read", "Write", "Discard":
		default:
			continue // v1 counts each of them as Sync or Async, too
		}
		k := key{fmt.Sprintf("%d:%d", e.Major, e.Minor), strings.ToLower(e.Op)}
		if _, seen := sums[k]; !seen {
			order = append(order, k)
		}
		sums[k] += e.Value
	}
	for _, k := range order {
		add(float64(sums[k]), "device", k.device, "operation", k.operation)
	}
}

// pressure adds how long tasks have waited for a resource.
func pressure(add adder, resource string, p *libcontainer.PSI) {
	if p == nil {
		return
	}
	add(float64(p.Some.Total)/microsPerSecond, "resource", resource, "tasks", "some")
	add(float64(p.Full.Total)/microsPerSecond, "resource", resource, "tasks", "all")
}
