// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/berth-run/berth/tests/internal/bundle"
)

// runtimeUnderTest is one of those that are compared.
type runtimeUnderTest struct {
	name, path, version string
	root, work          string
	rootfs, profile     string
	// only are the operations of a yardstick, which is no runtime; nil for a runtime.
	only []string
	// live are containers that run for exec, state and others, by their kind.
	live map[string]*container
	// lacks are operations that the runtime cannot do, with its error.
	lacks map[string]string
}

// container is one that lives.
type container struct {
	id  string
	pid int
}

// The yardsticks, and the parent of all cgroups.
const (
	floorName    = "floor"
	wordName     = "word"
	cgroupParent = "/berth-bench"
)

// ids makes ids and cgroup paths unique over all runtimes.
var ids atomic.Int64

func newID() string { return fmt.Sprintf("bench%d-%d", os.Getpid(), ids.Add(1)) }

// newRuntime prepares a runtime given as a path, or as NAME=PATH where the file's name would
// not tell.
func newRuntime(c *config, arg string) (*runtimeUnderTest, error) {
	name, path, ok := strings.Cut(arg, "=")
	if !ok {
		path, name = arg, filepath.Base(arg)
	}
	path, err := absolute(path)
	if err != nil {
		return nil, err
	}
	rt, err := prepare(c, name, path)
	if err != nil {
		return nil, err
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", path, err)
	}
	rt.version, _, _ = strings.Cut(string(out), "\n")
	return rt, nil
}

// newYardstick prepares a program that takes part in some operations.
func newYardstick(c *config, name, path string) (*runtimeUnderTest, error) {
	rt, err := prepare(c, name, path)
	if err != nil {
		return nil, err
	}
	rt.only = []string{"version"}
	if name == floorName {
		rt.only = []string{"run", "run1000", "run4000"}
		if err := os.MkdirAll("/sys/fs/cgroup"+cgroupParent, 0o755); err != nil {
			return nil, err
		}
	}
	return rt, nil
}

func prepare(c *config, name, path string) (*runtimeUnderTest, error) {
	rt := &runtimeUnderTest{
		name: name, path: path, rootfs: c.rootfs, profile: c.profile,
		live: map[string]*container{}, lacks: map[string]string{},
	}
	rt.work = filepath.Join(c.work, name)
	rt.root = filepath.Join(rt.work, "root")
	return rt, os.Mkdir(rt.work, 0o755) // two of the same name are an error
}

// bundle makes the bundle of a container, whose directory bears its id.
func (rt *runtimeUnderTest) bundle(kind, id string, args ...string) (string, error) {
	dir := filepath.Join(rt.work, id)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	spec, err := rt.spec(kind, id, args...)
	if err != nil {
		return "", err
	}
	return dir, bundle.Write(dir, spec)
}

// command is a command of the runtime, or what a yardstick does instead. Its streams are a
// file: a container that lives on does not keep us waiting, and a runtime that changes the
// owner of its streams changes no device of the host's.
func (rt *runtimeUnderTest) command(dir string, args ...string) (*exec.Cmd, *os.File, error) {
	streams, err := os.CreateTemp(rt.work, "streams.")
	if err != nil {
		return nil, nil, err
	}
	if err := os.Remove(streams.Name()); err != nil {
		return nil, nil, errors.Join(err, streams.Close())
	}
	switch rt.name {
	case wordName:
		args = nil
	case floorName:
		args = []string{rt.rootfs, "/sys/fs/cgroup" + cgroupParent + "/" + args[len(args)-1], "/bin/true"}
	default:
		args = append([]string{"--root", rt.root}, args...)
	}
	cmd := exec.Command(rt.path, args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, streams, streams, streams
	return cmd, streams, nil
}

// call runs a command of the runtime and tells how long that takes.
func (rt *runtimeUnderTest) call(dir string, args ...string) (took time.Duration, err error) {
	err = rt.perform(dir, args, func(cmd *exec.Cmd) error {
		began := time.Now()
		err := cmd.Run()
		took = time.Since(began)
		return err
	})
	return took, err
}

// perform has f run a command, and adds what the command says to an error.
func (rt *runtimeUnderTest) perform(dir string, args []string, f func(*exec.Cmd) error) error {
	cmd, streams, err := rt.command(dir, args...)
	if err != nil {
		return err
	}
	defer streams.Close()
	if err := f(cmd); err != nil {
		said := make([]byte, 4096)
		n, _ := streams.ReadAt(said, 0)
		return fmt.Errorf("%s %s: %w: %s", rt.name, strings.Join(args, " "), err, bytes.TrimSpace(said[:n]))
	}
	return nil
}

// begin starts the container of a kind that lives, unless it does.
func (rt *runtimeUnderTest) begin(kind string) (*container, error) {
	if c := rt.live[kind]; c != nil {
		return c, nil
	}
	c, err := rt.detach(kind)
	if err == nil {
		rt.live[kind] = c
	}
	return c, err
}

// detach runs a container that lives on.
func (rt *runtimeUnderTest) detach(kind string) (*container, error) {
	id := newID()
	dir, err := rt.bundle(kind, id, "/bin/sleep", "100000")
	if err != nil {
		return nil, err
	}
	if _, err := rt.call(dir, "run", "--detach", "--pid-file", filepath.Join(dir, "pid"), id); err != nil {
		return nil, err
	}
	pid, err := readPID(dir)
	return &container{id, pid}, err
}

// remove deletes containers.
func (rt *runtimeUnderTest) remove(list []*container) error {
	var errs []error
	for _, c := range list {
		_, err := rt.call(rt.work, "delete", "--force", c.id)
		errs = append(errs, err, os.RemoveAll(filepath.Join(rt.work, c.id)))
	}
	return errors.Join(errs...)
}

// end removes those that live.
func (rt *runtimeUnderTest) end() error {
	var list []*container
	for _, kind := range []string{pod, docker, plain} {
		if c := rt.live[kind]; c != nil {
			list = append(list, c)
		}
		delete(rt.live, kind)
	}
	return rt.remove(list)
}

// readPID reads the pid file in a bundle.
func readPID(dir string) (int, error) {
	data, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}

// waitForExit waits for the end of a container's process.
func waitForExit(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	// The bench is a subreaper, so the container's process is its child.
	_, err = p.Wait()
	if errors.Is(err, syscall.ECHILD) {
		return nil
	}
	return err
}
