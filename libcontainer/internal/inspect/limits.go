// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/cgroups/devices"
	"github.com/berth-run/berth/libcontainer/configs"
)

// limits reads back what the limits have written: the kernel rounds, and others may write as well.
func (in *inspection) limits(m cgroups.Manager) {
	if in.asked.Resources == nil {
		return
	}
	for _, w := range m.Draft(in.asked.Resources).Writes {
		name := strings.TrimPrefix(w.Field, "linux.resources.") + " (" + w.File + ")"
		text, err := os.ReadFile(filepath.Join(w.Dir, w.File))
		if os.IsNotExist(err) && (strings.Contains(w.File, ".rsvd.") || strings.HasPrefix(w.File, "io.bfq.")) {
			continue // not every kernel has it
		}
		asked := strings.Join(w.Values, "; ")
		if err != nil {
			in.add(Item{Area: "limits", Name: name, Asked: asked, Effective: "unknown", Differs: true, Note: err.Error()})
			continue
		}
		have := strings.TrimSpace(string(text))
		i := Item{Area: "limits", Name: name, Asked: asked, Effective: strings.ReplaceAll(have, "\n", "; "), Differs: !holds(w.File, w.Values, have)}
		if i.Differs {
			i.Note = roundingNote(w.Values, have)
		}
		in.add(i)
	}
}

// deviceRules compares the rules with the list of v1, or with the filters of v2.
func (in *inspection) deviceRules(m cgroups.Manager) {
	plan := in.asked.Plan
	if plan == nil || in.rec.Saved.CgroupRootless || plan.Cgroup.Disabled {
		return // Nothing was asked for that a cgroup could do.
	}
	paths := m.Paths()
	if dir, ok := paths["devices"]; ok {
		in.listedDevices(dir, plan.Cgroup.DeviceRules)
	} else if dir := paths[""]; dir != "" {
		in.filteredDevices(dir, plan.Cgroup.DeviceRules)
	}
}

func (in *inspection) listedDevices(dir string, rules []configs.DeviceRule) {
	const name = "devices (devices.list)"
	text, err := os.ReadFile(filepath.Join(dir, "devices.list"))
	if err != nil {
		in.unreadable("limits", name, err)
		return
	}
	have := strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", ", ")
	i := in.add(Item{Area: "limits", Name: name, Asked: devices.Text(rules), Effective: cmp.Or(have, "none")})
	same, known, err := devices.Listed(string(text), rules)
	switch {
	case err != nil: // config.json has changed: create would have refused it
		i.Differs, i.Note = true, err.Error()
	case !known:
		i.Note = "the kernel does not show what is denied nevertheless"
	case !same:
		i.Differs, i.Note = true, "somebody has changed it since, or config.json"
	}
}

func (in *inspection) filteredDevices(dir string, rules []configs.DeviceRule) {
	const name = "devices (eBPF filter)"
	filters, err := compareFilters(dir, rules)
	if err != nil {
		in.unreadable("limits", name, err)
		return
	}
	i := in.add(Item{Area: "limits", Name: name, Asked: devices.Text(rules), Effective: "as asked"})
	if !filters.Asked {
		i.Effective, i.Differs = "not the filter of these rules", true
	}
	if filters.Others > 0 {
		i.Note = fmt.Sprintf("%d other filters can deny more, here or above", filters.Others)
	} else if !filters.Asked {
		i.Effective = "no filter"
	}
}

func compareFilters(dir string, rules []configs.DeviceRule) (devices.Filters, error) {
	f, err := os.Open(dir)
	if err != nil {
		return devices.Filters{}, err
	}
	defer f.Close()
	return devices.Compare(f, rules)
}

// holds reports whether a file has what was written to it.
func holds(file string, values []string, have string) bool {
	for _, v := range values {
		if !holdsOne(file, v, have) {
			return false
		}
	}
	return true
}

func holdsOne(file, value, have string) bool {
	switch {
	case value == have:
		return true
	case strings.HasPrefix(file, "cpuset."):
		return slices.Equal(numbers(value), numbers(have))
	case value == "-1":
		// v1 shows its largest number.
		n, err := strconv.ParseUint(have, 10, 64)
		return err == nil && n >= 1<<62
	case file == "cpu.max":
		return strings.HasPrefix(have+" ", value+" ") // the period may be the kernel's
	case file == "memory.oom_control":
		return strings.Contains(have, "oom_kill_disable "+value)
	}
	// A file with a line for each device has more on it.
	want := strings.Fields(value)
	if len(want) < 2 {
		return strings.TrimPrefix(have, "default ") == value
	}
	for line := range strings.Lines(have) {
		words := strings.Fields(line)
		if len(words) > 0 && words[0] == want[0] && !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(words, w) }) {
			return true
		}
	}
	// A limit that was lifted has no line.
	return !strings.Contains(have, want[0]) && (want[1] == "0" || strings.HasSuffix(want[1], "=max"))
}

// numbers parses a list such as "0-2,5". The bound is that of the kernel's masks.
func numbers(list string) (all []int) {
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err := strconv.Atoi(low)
		to, terr := strconv.Atoi(high)
		if err != nil || terr != nil || to-from > 1<<16 {
			continue
		}
		for n := from; n <= to; n++ {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// roundingNote says whether the kernel has only rounded a number.
func roundingNote(values []string, have string) string {
	if len(values) != 1 {
		return ""
	}
	asked, err := strconv.ParseInt(values[0], 10, 64)
	got, gerr := strconv.ParseInt(have, 10, 64)
	if err != nil || gerr != nil {
		return "somebody has changed it since"
	}
	if page := int64(os.Getpagesize()); got == asked/page*page {
		return "rounded down by the kernel to whole pages of " + strconv.FormatInt(page, 10) + " bytes"
	}
	if d := asked - got; d < asked/50 && -d < asked/50 {
		return "rounded by the kernel"
	}
	return "somebody has changed it since, or a limit above is lower"
}
