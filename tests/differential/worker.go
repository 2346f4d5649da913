// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// workerCommand is the first argument of the process that runs one case with one runtime. It is
// the first process of a pid namespace, with its own mounts, hostname and devices. What a runtime
// leaves or breaks there is recorded, and disappears with it.
const workerCommand = "@worker"

// job is the input of a worker, on its stdin.
type job struct {
	Case       *testCase
	Name, Path string
	Rootfs     string
	Probe      string
	ID, Cgroup string
	// Part means that the worker sees only a part of cgroup v2.
	Part bool
}

// outcome has what was observed, by key, without what differs from run to run.
type outcome map[string]string

// The worker's own directories are the same for every runtime, so their output can be compared.
const (
	top       = "/mnt"
	bundleDir = top + "/bundle"
	rootfsDir = bundleDir + "/rootfs"
	stateDir  = top + "/run/state"
	upperDir  = top + "/upper"
	sourceDir = top + "/source"
)

func workerMain() int {
	var j job
	err := json.NewDecoder(os.Stdin).Decode(&j)
	if err == nil {
		var o outcome
		if o, err = j.run(); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(o)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "differential worker:", err)
		return 1
	}
	return 0
}

func (j *job) run() (outcome, error) {
	if err := j.prepare(); err != nil {
		return nil, err
	}
	before, err := hostState()
	if err != nil {
		return nil, err
	}
	w := &watch{job: j, o: outcome{}}
	if j.Case.Setup == "" {
		err = w.config()
	} else {
		err = w.commandLine()
	}
	if err != nil {
		return nil, err
	}
	after, err := hostState()
	if err != nil {
		return nil, err
	}
	for key, was := range before {
		if after[key] != was {
			w.o["host."+key] = fmt.Sprintf("%s, was %s", after[key], was)
		}
		delete(after, key)
	}
	for key, is := range after {
		w.o["host."+key] = is + ", was not there"
	}
	w.left()
	return w.normalise(), nil
}

// prepare makes the environment of the runtime: a root file system that shows changes, private
// devices, and sources of mounts.
func (j *job) prepare() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for _, m := range []struct{ kind, target, data string }{
		{"proc", "/proc", ""}, {"tmpfs", "/dev", "mode=755"}, {"tmpfs", top, "mode=755"},
	} {
		if err := unix.Mount(m.kind, m.target, m.kind, 0, m.data); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	if j.Part {
		if err := unix.Unmount("/sys/fs/cgroup", unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount cgroups: %w", err)
		}
		if err := unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""); err != nil {
			return fmt.Errorf("mount cgroup v2: %w", err)
		}
	}
	if err := devices(); err != nil {
		return err
	}
	for _, dir := range []string{bundleDir, rootfsDir, filepath.Dir(stateDir), stateDir, upperDir, top + "/work", sourceDir} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	owner := 0
	if j.Case.Mapped {
		owner = 100000
	}
	if err := os.Chown(upperDir, owner, owner); err != nil {
		return err
	}
	// A volume is the overlay itself, so that its other layers are not visible in the container.
	options := fmt.Sprintf("lowerdir=%s:%s,upperdir=%s,workdir=%s/work", j.Probe, j.Rootfs, upperDir, top)
	if err := unix.Mount("overlay", rootfsDir, "overlay", 0, options); err != nil {
		return fmt.Errorf("mount overlay: %w", err)
	}
	if err := unix.Sethostname([]byte("host")); err != nil {
		return err
	}
	unix.Umask(0o022)
	// If this runs in the background, these signals are ignored, and runtimes pass that on.
	// Caught signals are not inherited.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGQUIT, unix.SIGHUP)
	if err := sources(owner); err != nil {
		return err
	}
	text := strings.NewReplacer("@cg", j.Cgroup, "@id", j.ID, "@source", sourceDir, "@ff", "\xff").Replace(j.Case.Config)
	return os.WriteFile(filepath.Join(bundleDir, "config.json"), []byte(text), 0o644)
}

func devices() error {
	for _, d := range []struct {
		name         string
		major, minor uint32
		mode         uint32
	}{
		{"null", 1, 3, 0o666},
		{"zero", 1, 5, 0o666},
		{"full", 1, 7, 0o666},
		{"random", 1, 8, 0o666},
		{"urandom", 1, 9, 0o666},
		{"tty", 5, 0, 0o666},
		{"fuse", 10, 229, 0o600},
		{"kmsg", 1, 11, 0o644},
	} {
		path := "/dev/" + d.name
		if err := unix.Mknod(path, unix.S_IFCHR|d.mode, int(unix.Mkdev(d.major, d.minor))); err != nil {
			return fmt.Errorf("mknod %s: %w", path, err)
		}
		if err := os.Chmod(path, os.FileMode(d.mode)); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/dev/pts", "/dev/shm", "/dev/mqueue"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	if err := unix.Mount("mqueue", "/dev/mqueue", "mqueue", 0, ""); err != nil {
		return fmt.Errorf("mount /dev/mqueue: %w", err)
	}
	return os.Symlink("pts/ptmx", "/dev/ptmx")
}

// sources creates the sources of mounts: @source/dir with a file, @source/file, read-only and
// restricted mounts, and symbolic links.
func sources(owner int) error {
	for _, dir := range []string{"dir", "tree", "tree/sub", "ro", "restricted", "shared"} {
		if err := os.Mkdir(filepath.Join(sourceDir, dir), 0o755); err != nil {
			return err
		}
	}
	for _, m := range []struct {
		dir   string
		flags uintptr
	}{{"ro", unix.MS_RDONLY}, {"restricted", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC}, {"tree/sub", 0}, {"shared", 0}} {
		if err := unix.Mount("source", filepath.Join(sourceDir, m.dir), "tmpfs", m.flags, "mode=755"); err != nil {
			return err
		}
	}
	if err := unix.Mount("", sourceDir+"/shared", "", unix.MS_SHARED, ""); err != nil {
		return err
	}
	for _, file := range []string{"file", "dir/file"} {
		if err := os.WriteFile(filepath.Join(sourceDir, file), []byte("content\n"), 0o644); err != nil {
			return err
		}
	}
	if err := os.Symlink("dir", sourceDir+"/link"); err != nil {
		return err
	}
	if err := processFiles(); err != nil {
		return err
	}
	hook := "#!/bin/sh\n" + hookScript
	if err := os.WriteFile(sourceDir+"/hook", []byte(hook), 0o755); err != nil {
		return err
	}
	return filepath.Walk(sourceDir, func(path string, _ os.FileInfo, err error) error {
		// One mount is read-only.
		if err == nil && path != sourceDir+"/ro" {
			err = os.Lchown(path, owner, owner)
		}
		return err
	})
}

// hookScript is a hook that runs on the host and writes down its arguments and environment.
const hookScript = `{
echo "arguments $*"
echo "directory $(pwd)"
env | grep -v '^_=\|^PWD=\|^OLDPWD=\|^SHLVL=' | sort | sed 's/^/env /'
printf 'state '
tr -d '\n'
echo
echo
} >>/mnt/hooks
`

// hostState returns what must be unchanged afterwards.
func hostState() (map[string]string, error) {
	state := map[string]string{}
	for _, dir := range []string{"/dev", sourceDir, sourceDir + "/dir", bundleDir} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			state[path] = describe(path)
		}
	}
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	state["hostname"] = name
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	state["mounts"] = fmt.Sprint(strings.Count(string(mounts), "\n"))
	score, err := os.ReadFile("/proc/self/oom_score_adj")
	state["oom_score_adj"] = strings.TrimSpace(string(score))
	return state, err
}

// describe describes a file.
func describe(path string) string {
	st, err := os.Lstat(path)
	if err != nil {
		return err.Error()
	}
	sys := st.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("%06o %d:%d", sys.Mode, sys.Uid, sys.Gid)
	switch st.Mode().Type() {
	case os.ModeSymlink:
		target, _ := os.Readlink(path)
		return "-> " + target
	case os.ModeDevice, os.ModeDevice | os.ModeCharDevice:
		text += fmt.Sprintf(" %d:%d", unix.Major(sys.Rdev), unix.Minor(sys.Rdev))
	}
	return text
}
