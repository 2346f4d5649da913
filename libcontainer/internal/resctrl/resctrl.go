// SPDX-License-Identifier: Apache-2.0

// Package resctrl places a container in the kernel's resctrl file system
// (Documentation/filesystems/resctrl.rst), with which Intel RDT and similar features divide
// caches and memory bandwidth: linux.intelRdt in the runtime-spec.
//
// It does not mount the file system, and does not know what schemata mean. It has one
// invariant: a group that somebody else has made is never changed or removed, only joined.
package resctrl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// MountPoint is where the kernel expects the file system to be mounted.
const MountPoint = "/sys/fs/resctrl"

// FS is a mounted resctrl file system.
type FS struct {
	root string
	// mkdir and rmdir are the calls that make and remove groups. The kernel fills and empties
	// the directories; a test has to do that itself.
	mkdir, rmdir func(string) error
}

// Open returns the file system mounted at root. Every error of the package is about
// linux.intelRdt and says so.
func Open(root string) (*FS, error) {
	var st unix.Statfs_t
	err := unix.Statfs(root, &st)
	if err == nil && st.Type != unix.RDTGROUP_SUPER_MAGIC {
		err = unix.ENODEV
	}
	if err != nil {
		return nil, fmt.Errorf("linux.intelRdt: the resctrl file system is not mounted at %s: %w", root, err)
	}
	return &FS{
		root:  root,
		mkdir: func(path string) error { return os.Mkdir(path, 0o755) },
		rmdir: unix.Rmdir,
	}, nil
}

// Plan is what a container asks for.
type Plan struct {
	// ID is the container's id.
	ID string
	// ClosID names the group; "" means a group for this container alone, named by its ID, and
	// "/" the root group.
	ClosID string
	// Schemata are lines for the group's schemata file. Later ones override earlier ones.
	Schemata []string
	// Monitoring asks for a monitoring group for this container alone.
	Monitoring bool
}

// Group is the place of one container.
type Group struct {
	fs   *FS
	plan *Plan
	// dir is the directory of the group, and monitor that of the monitoring group, or "".
	dir, monitor string
	// exists is set if somebody else has made the group.
	exists bool
	// made are the directories that Create has made.
	made []string
}

// Find decides on the group. It does not make anything yet.
func (fs *FS) Find(p *Plan) (*Group, error) {
	g := &Group{fs: fs, plan: p, dir: filepath.Join(fs.root, p.ClosID)}
	if p.ClosID == "" {
		g.dir = filepath.Join(fs.root, p.ID)
	}
	if p.Monitoring {
		g.monitor = filepath.Join(g.dir, "mon_groups", p.ID)
	}
	_, err := os.Lstat(g.dir)
	switch {
	case err == nil:
		g.exists = true
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("linux.intelRdt: %w", err)
	case p.ClosID != "" && len(p.Schemata) == 0:
		return nil, fmt.Errorf("linux.intelRdt.closID: there is no group %q, and no schemata to make one with: %w", p.ClosID, err)
	}
	return g, nil
}

// Owned returns the directories that exist only for this container, in the order in which they
// have to be removed. They must be recorded before Create makes them. A group that the config
// names is not one of them, even if Create makes it, since other containers may have joined it
// in the meantime.
func (g *Group) Owned() []string {
	var dirs []string
	if g.monitor != "" {
		dirs = append(dirs, g.monitor)
	}
	if g.plan.ClosID == "" && !g.exists {
		dirs = append(dirs, g.dir)
	}
	return dirs
}

// Dir returns the directory of the group, whoever has made it. It may be the root group.
func (g *Group) Dir() string { return g.dir }

// Create makes the groups, or checks the one that exists. If it fails, it leaves nothing
// behind.
func (g *Group) Create() error {
	err := g.create()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("linux.intelRdt: %w", err)
	if rerr := g.Remove(); rerr != nil {
		err = fmt.Errorf("%w (then, %w)", err, rerr)
	}
	return err
}

func (g *Group) create() error {
	if !g.exists {
		err := g.make(g.dir)
		if errors.Is(err, os.ErrExist) && g.plan.ClosID != "" {
			g.exists = true // another container of the group was faster
		} else if err != nil {
			return err
		}
	}
	if g.exists {
		if err := g.compare(); err != nil {
			return err
		}
	} else if err := g.configure(); err != nil {
		return err
	}
	if g.monitor == "" {
		return nil
	}
	return g.make(g.monitor)
}

func (g *Group) make(dir string) error {
	if err := g.fs.mkdir(dir); err != nil {
		return g.fs.explain(err)
	}
	g.made = append(g.made, dir)
	return nil
}

// configure writes the schemata, with one write per line: the kernel refuses a second value for
// the same cache in one write.
func (g *Group) configure() error {
	for _, entry := range g.plan.Schemata {
		for line := range strings.Lines(entry) {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			if err := g.fs.write(filepath.Join(g.dir, "schemata"), line+"\n"); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
		}
	}
	return nil
}

// Join puts a process, which must be single-threaded, into the groups. Its children start
// there.
func (g *Group) Join(pid int) error {
	for _, dir := range []string{g.dir, g.monitor} { // in this order only
		if dir == "" {
			continue
		}
		if err := g.fs.write(filepath.Join(dir, "tasks"), strconv.Itoa(pid)+"\n"); err != nil {
			return fmt.Errorf("linux.intelRdt: %w", err)
		}
	}
	return nil
}

// Remove removes everything that Create has made.
func (g *Group) Remove() error {
	var all error
	for i := len(g.made) - 1; i >= 0; i-- {
		all = errors.Join(all, g.fs.remove(g.made[i]))
	}
	g.made = nil
	return all
}

// Remove removes the directories that Owned has returned. A missing one is not an error.
func Remove(dirs []string) error {
	fs := &FS{rmdir: unix.Rmdir}
	var all error
	for _, dir := range dirs {
		all = errors.Join(all, fs.remove(dir))
	}
	return all
}

// remove removes a group. Processes in it move to the parent group.
func (fs *FS) remove(dir string) error {
	if err := fs.rmdir(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return &os.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}

// write writes one file of a group, in one call as the kernel requires.
func (fs *FS) write(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	if err = errors.Join(err, f.Close()); err != nil {
		return fs.explain(err)
	}
	return nil
}

// explain adds to an error what the kernel says about the last command.
func (fs *FS) explain(err error) error {
	status, rerr := os.ReadFile(filepath.Join(fs.root, "info/last_cmd_status"))
	text := strings.TrimSpace(string(status))
	if rerr != nil || text == "" || text == "ok" {
		return err
	}
	return fmt.Errorf("%w (%s)", err, text)
}
