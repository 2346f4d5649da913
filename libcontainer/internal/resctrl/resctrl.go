// SPDX-License-Identifier: Apache-2.0

// Package resctrl gives a container its place in the resctrl file system of the kernel
// (Documentation/filesystems/resctrl.rst), by which Intel RDT and its likes divide
// caches and memory bandwidth: linux.intelRdt of the runtime-spec.
//
// It does not mount the file system, nor does it know what schemata mean. Its one invariant: a
// group that somebody else has made is never changed or removed, only joined.
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

// MountPoint is where the kernel wants the file system mounted.
const MountPoint = "/sys/fs/resctrl"

// FS is a mounted resctrl file system.
type FS struct {
	root string
	// mkdir and rmdir are the calls by which groups are made and removed. The
	// kernel fills and empties the directories, which a test has to do itself.
	mkdir, rmdir func(string) error
}

// Open is the file system mounted at root. Every error of the package is one of
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
	// ID is the container's.
	ID string
	// ClosID names the group; "" is one of the container's own with its ID as
	// the name, "/" the root group.
	ClosID string
	// Schemata are lines of the group's schemata file, later ones win.
	Schemata []string
	// Monitoring asks for a monitoring group of the container's own.
	Monitoring bool
}

// Group is the place of one container.
type Group struct {
	fs   *FS
	plan *Plan
	// dir is the group's directory, monitor the monitoring group's or "".
	dir, monitor string
	// exists says that the group is somebody else's.
	exists bool
	// made are the directories that Create has made.
	made []string
}

// Find decides on the group, and makes nothing yet.
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

// Owned are the directories that exist for this container only, in the order to
// remove them in: they have to be recorded before Create makes them. A group that the
// config names is not one of them, even if Create makes it, since others may have
// joined it since.
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

// Dir is the directory of the group, whoever has made it; it may be the root group.
func (g *Group) Dir() string { return g.dir }

// Create makes the groups, or checks the one that exists. On error nothing is left.
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

// configure writes the schemata. Each line is a write of its own: within one, the
// kernel refuses a second value for the same cache.
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

// Join puts a process, which must be single-threaded, into the groups. Its children
// are born there.
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

// Remove removes what Create has made, all of it.
func (g *Group) Remove() error {
	var all error
	for i := len(g.made) - 1; i >= 0; i-- {
		all = errors.Join(all, g.fs.remove(g.made[i]))
	}
	g.made = nil
	return all
}

// Remove removes the directories that Owned has named; none is missed.
func Remove(dirs []string) error {
	fs := &FS{rmdir: unix.Rmdir}
	var all error
	for _, dir := range dirs {
		all = errors.Join(all, fs.remove(dir))
	}
	return all
}

// remove removes a group. Processes in it go to the group above.
func (fs *FS) remove(dir string) error {
	if err := fs.rmdir(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return &os.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}

// write writes one file of a group, in one call as the kernel wants it.
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
