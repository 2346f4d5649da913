// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// read parses the lines of the probe. The output of other programs is compared as it is.
func (w *watch) read(text string) {
	mounts, own := hierarchies(), ownCgroups()
	var table []mountEntry
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		key, v, ok := strings.Cut(line, "=")
		switch {
		case !ok || strings.ContainsAny(key, " "):
			w.o["stdout"] += line + "\n"
		case key == "mountinfo":
			if m, ok := mountLine(v); ok {
				table = append(table, m)
			} else {
				w.o["stdout"] += line + "\n"
			}
		case key == "pid" && v != "1":
			w.o["in.pid"] = "another"
		case strings.HasPrefix(key, "ns."):
			w.o["in."+key] = namespaceWord(strings.TrimPrefix(key, "ns."), v)
		case strings.HasPrefix(key, "fd."):
			w.o["in."+key] = outputs.ReplaceAllString(numbers.ReplaceAllString(v, ":[N]"), "/output.N ")
		case key == "cgroup":
			// A hierarchy that is not mounted here may be somebody else's, who removes it meanwhile.
			for hierarchy := range strings.SplitSeq(v, `\n`) {
				_, rest, _ := strings.Cut(hierarchy, ":")
				controllers, path, _ := strings.Cut(rest, ":")
				first, _, _ := strings.Cut(controllers, ",")
				if _, mounted := mounts[first]; !mounted {
					continue
				}
				w.o["in.cgroup."+controllers] = below(own[controllers], path)
			}
		default:
			w.o["in."+key] = v
		}
	}
	w.mounts(table)
}

var (
	numbers = regexp.MustCompile(`:\[\d+\]`)
	outputs = regexp.MustCompile(`/output\.\d+ `)
)

// mountEntry is a line of mountinfo: where something is mounted, and the options of the mount and
// of the file system, without numbers.
type mountEntry struct{ id, parent, target, mount, super string }

// mounts makes keys for what is mounted at each path, the topmost mount last. The kernel lists
// mounts by age.
func (w *watch) mounts(table []mountEntry) {
	byID := map[string]mountEntry{}
	for _, m := range table {
		byID[m.id] = m
	}
	depth := func(m mountEntry) int {
		n := 0
		for p, ok := byID[m.parent]; ok && p.target == m.target && p.id != m.id; p, ok = byID[p.parent] {
			n++
		}
		return n
	}
	slices.SortStableFunc(table, func(a, b mountEntry) int { return depth(a) - depth(b) })
	for _, m := range table {
		key := "mount." + m.target
		if old, ok := w.o[key]; ok {
			m.mount, m.super = old+" + "+m.mount, w.o["super."+m.target]+" + "+m.super
		}
		w.o[key], w.o["super."+m.target] = m.mount, m.super
	}
}

func mountLine(line string) (mountEntry, bool) {
	left, right, ok := strings.Cut(line, " - ")
	before, after := strings.Fields(left), strings.Split(right, " ")
	if !ok || len(before) < 6 || len(after) < 3 {
		return mountEntry{}, false
	}
	options := strings.Split(before[5], ",")
	slices.Sort(options)
	m := mountEntry{id: before[0], parent: before[1], target: before[4]}
	m.mount = fmt.Sprintf("%s root %s %s", after[0], before[3], strings.Join(options, ","))
	for _, tag := range before[6:] {
		word, _, _ := strings.Cut(tag, ":")
		if word != "propagate_from" {
			m.mount += " " + word
		}
	}
	// The options of an overlay are directories of the machine.
	if after[0] != "overlay" {
		m.super = after[1] + " " + after[2]
	}
	return m, true
}

// hookLines parses what hooks have written. The order of keys in a state does not matter.
func (w *watch) hookLines(text string) {
	n := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			n++
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		key := fmt.Sprintf("hook.%d.%s", n, word)
		var state map[string]any
		switch {
		case word == "env":
			name, v, _ := strings.Cut(rest, "=")
			w.o[key+"."+name] = v
		case word == "state" && json.Unmarshal([]byte(rest), &state) == nil:
			for name, v := range state {
				w.o[key+"."+name] = fmt.Sprint(v)
			}
		default:
			w.o[key] = rest
		}
	}
}

// namespaceWord returns "host" if a namespace is the worker's.
func namespaceWord(kind, link string) string {
	if own, err := os.Readlink("/proc/self/ns/" + kind); err == nil && own == link {
		return "host"
	}
	if strings.HasPrefix(link, kind+":[") {
		return "new"
	}
	return link
}

// normalise removes what differs between runs of the same runtime.
func (w *watch) normalise() outcome {
	pid := "none"
	if w.pid > 0 {
		pid = fmt.Sprint(w.pid)
	}
	replace := strings.NewReplacer(w.Cgroup, "@cg", w.ID, "@id", "/proc/"+pid+"/", "/proc/@pid/")
	o := outcome{}
	for key, v := range w.o {
		// Nobody else knows the pid in a container that was refused.
		if strings.HasSuffix(key, ".state.pid") && (v == pid || w.pid <= 0 && v != "0") {
			v = "@pid"
		}
		v = replace.Replace(v)
		if v != "" {
			o[replace.Replace(key)] = v
		}
	}
	return o
}
