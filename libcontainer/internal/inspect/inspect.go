// SPDX-License-Identifier: Apache-2.0

// Package inspect compares what a config asks for with what the kernel has made of it, for a
// container that runs: from /proc of its init, from its cgroups, and from its table of mounts. It
// changes nothing.
//
// The asked side is a plan ([configs.Config]) and not the document: what a config leaves out has
// its default there. The effective side is what the kernel says, and nothing that berth remembers.
package inspect

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/program"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Item is one thing that was asked for, or is in effect.
type Item struct {
	// Area groups items: "process", "capabilities", "limits".
	Area string `json:"area"`
	Name string `json:"name"`
	// Asked is "" for what the config does not mention.
	Asked     string `json:"asked,omitempty"`
	Effective string `json:"effective"`
	// Differs is set if the two do not say the same. Note explains it, or says what else there is to
	// know.
	Differs bool   `json:"differs"`
	Note    string `json:"note,omitempty"`
}

// Asked is what was asked for.
type Asked struct {
	// Process is that of the config with which the container was created.
	Process *configs.Process
	// Plan is the plan of the bundle's config.json as it is now; nil if there is none any more.
	Plan *configs.Config
	// Resources are the limits, with those of updates.
	Resources *specs.LinuxResources
}

// inspection collects the items.
type inspection struct {
	rec   *record.Record
	asked *Asked
	dir   string // /proc/PID
	// root resolves paths in the container, which may have put links anywhere.
	root program.Look
	// status are the fields of /proc/PID/status.
	status map[string]string
	items  []Item
}

// Container inspects a container, whose init the caller has found alive. m are its cgroups.
func Container(rec *record.Record, m cgroups.Manager, asked *Asked) ([]Item, error) {
	in := &inspection{rec: rec, asked: asked, dir: "/proc/" + strconv.Itoa(rec.Saved.PID)}
	text, err := os.ReadFile(in.dir + "/status")
	if err != nil {
		return nil, record.ErrNotRunning
	}
	root, err := unix.Open(in.dir+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s/root: %w", in.dir, err)
	}
	defer unix.Close(root)
	in.root.Root = root
	in.status = fields(string(text))
	in.process()
	in.idMaps()
	in.capabilities()
	in.confinement()
	in.rlimits()
	in.namespaces()
	in.limits(m)
	in.deviceRules(m)
	table, err := in.mountTable()
	if err != nil {
		in.unreadable("mounts", "table", err)
	} else {
		in.mounts(table)
	}
	in.hostResources(m, table)
	return in.items, nil
}

// fields parses the lines "Name:\tvalue" of /proc/PID/status.
func fields(text string) map[string]string {
	all := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			all[name] = strings.Join(strings.Fields(value), " ")
		}
	}
	return all
}

// compare adds an item, which differs if the texts do.
func (in *inspection) compare(area, name, asked, effective string) *Item {
	return in.add(Item{Area: area, Name: name, Asked: asked, Effective: effective, Differs: asked != "" && asked != effective})
}

// add adds an item, and returns it for a note.
func (in *inspection) add(i Item) *Item {
	in.items = append(in.items, i)
	return &in.items[len(in.items)-1]
}

// unreadable adds an item that this user may not see.
func (in *inspection) unreadable(area, name string, err error) {
	in.add(Item{Area: area, Name: name, Effective: "unknown", Note: err.Error()})
}

// process compares the ids and the like.
func (in *inspection) process() {
	p := in.asked.Process
	ids := strings.Fields(in.status["Uid"] + " " + in.status["Gid"])
	if p != nil && len(ids) == 8 {
		in.compare("process", "uid", in.hostID("uid_map", p.UID), ids[1]).Note = in.inside("uid_map", p.UID)
		in.compare("process", "gid", in.hostID("gid_map", p.GID), ids[5]).Note = in.inside("gid_map", p.GID)
		in.groups(p)
	}
	umask, asked := in.status["Umask"], ""
	if p != nil {
		asked = fmt.Sprintf("%04o", p.Umask)
	}
	in.compare("process", "umask", asked, umask)
	score, err := sysfile.ReadLine(in.dir + "/oom_score_adj")
	if err != nil {
		in.unreadable("process", "oom_score_adj", err)
		return
	}
	asked = ""
	if p != nil && p.OOMScoreAdj != nil {
		asked = strconv.Itoa(*p.OOMScoreAdj)
	}
	item := in.compare("process", "oom_score_adj", asked, strings.TrimSpace(string(score)))
	if item.Differs && in.rec.Saved.CgroupRootless {
		item.Note = "an ordinary user cannot go below the caller's own"
	}
}

// groups compares the supplementary groups, in any order.
func (in *inspection) groups(p *configs.Process) {
	if p.KeepGroups {
		in.add(Item{Area: "process", Name: "groups", Asked: "the caller's", Effective: in.status["Groups"]})
		return
	}
	var want []string
	for _, g := range p.AdditionalGIDs {
		want = append(want, in.hostID("gid_map", g))
	}
	have := strings.Fields(in.status["Groups"])
	slices.Sort(want)
	slices.Sort(have)
	in.compare("process", "groups", orNone(slices.Compact(want)), orNone(slices.Compact(have)))
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, " ")
}

// hostID returns an id of the container as this process sees it, by the kernel's map.
func (in *inspection) hostID(file string, id uint32) string {
	rows, err := in.readMap(file)
	if err != nil {
		return strconv.FormatUint(uint64(id), 10)
	}
	if host, ok := configs.HostID(rows, id); ok {
		return strconv.FormatUint(uint64(host), 10)
	}
	return "unmapped"
}

// inside says which id of the container it is, if that is another number.
func (in *inspection) inside(file string, id uint32) string {
	if text := strconv.FormatUint(uint64(id), 10); in.hostID(file, id) != text {
		return text + " in the container"
	}
	return ""
}

func (in *inspection) readMap(file string) (rows []configs.IDMap, err error) {
	text, err := os.ReadFile(in.dir + "/" + file)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		var r configs.IDMap
		if n, _ := fmt.Sscan(line, &r.ContainerID, &r.HostID, &r.Size); n == 3 {
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// idMaps compares the maps of the user namespace.
func (in *inspection) idMaps() {
	for _, m := range [...]struct {
		name, file string
		asked      func(*configs.Config) []configs.IDMap
	}{
		{"uid map", "uid_map", func(c *configs.Config) []configs.IDMap { return c.UIDMappings }},
		{"gid map", "gid_map", func(c *configs.Config) []configs.IDMap { return c.GIDMappings }},
	} {
		rows, err := in.readMap(m.file)
		if err != nil {
			in.unreadable("process", m.name, err)
			continue
		}
		asked := ""
		if p := in.asked.Plan; p != nil && len(m.asked(p)) > 0 {
			asked = mapText(m.asked(p))
		}
		in.compare("process", m.name, asked, mapText(rows))
	}
}

func mapText(rows []configs.IDMap) string {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b configs.IDMap) int { return int(int64(a.ContainerID) - int64(b.ContainerID)) })
	var all []string
	for _, r := range rows {
		all = append(all, fmt.Sprintf("%d:%d:%d", r.ContainerID, r.HostID, r.Size))
	}
	return orNone(all)
}

// namespaces compares with the namespaces of this process.
func (in *inspection) namespaces() {
	for _, t := range configs.NamespaceTypes() {
		ours, err := os.Readlink("/proc/self/ns/" + t.ProcName())
		theirs, terr := os.Readlink(in.dir + "/ns/" + t.ProcName())
		if err = errors.Join(err, terr); err != nil {
			in.unreadable("namespaces", t.String(), err)
			continue
		}
		asked, effective := "shared", "own"
		switch {
		case configs.NamespaceType(in.rec.Saved.JoinedNamespaces)&t != 0:
			asked = "joined"
		case configs.NamespaceType(in.rec.Saved.Namespaces)&t != 0:
			asked = "own"
		}
		if ours == theirs {
			effective = "shared"
		}
		i := Item{Area: "namespaces", Name: t.String(), Asked: asked, Effective: effective, Note: theirs}
		i.Differs = asked != effective && asked != "joined"
		in.add(i)
	}
}
