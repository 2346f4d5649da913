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
	"github.com/opencontainers/runtime-spec/specs-go"
)

// runtimeUnderTest is one of the runtimes that are compared.
type runtimeUnderTest struct {
	name, path, version string
	root, work          string
	rootfs              string
	// live is a running container for exec and state.
	live string
	// lacks are the operations that the runtime does not support, with its error.
	lacks map[string]string
}

// ids makes ids and cgroup paths unique over all runtimes and modes.
var ids atomic.Int64

func newID() string { return fmt.Sprintf("bench%d-%d", os.Getpid(), ids.Add(1)) }

func newRuntime(c *config, n int, path string) (*runtimeUnderTest, error) {
	path, err := absolute(path)
	if err != nil {
		return nil, err
	}
	rt := &runtimeUnderTest{name: filepath.Base(path), path: path, rootfs: c.rootfs, lacks: map[string]string{}}
	rt.work = filepath.Join(c.work, strconv.Itoa(n))
	rt.root = filepath.Join(rt.work, "root")
	if err := os.Mkdir(rt.work, 0o755); err != nil {
		return nil, err
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", path, err)
	}
	rt.version, _, _ = strings.Cut(string(out), "\n")
	return rt, nil
}

// spec returns what engines usually ask for: their mounts, masks and namespaces, but no seccomp
// and no limits.
func (rt *runtimeUnderTest) spec(id string, args ...string) *specs.Spec {
	s := bundle.Spec()
	s.Root.Path, s.Root.Readonly = rt.rootfs, true
	s.Process.Args = args
	s.Mounts = append(s.Mounts, specs.Mount{
		Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"},
	})
	s.Linux.MaskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
		"/proc/sched_debug", "/sys/firmware", "/proc/scsi",
	}
	s.Linux.ReadonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	s.Linux.CgroupsPath = "/berth-bench/" + id
	return s
}

// bundle creates the bundle of a container in a directory with its id as name.
func (rt *runtimeUnderTest) bundle(id string, args ...string) (string, error) {
	dir := filepath.Join(rt.work, id)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	return dir, bundle.Write(dir, rt.spec(id, args...))
}

// call runs a command of the runtime and measures it. Its output is a file, so that a container
// that continues to run does not keep a pipe open.
func (rt *runtimeUnderTest) call(dir string, args ...string) (took time.Duration, err error) {
	stderr, err := os.CreateTemp(rt.work, "stderr.")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stderr.Close(), os.Remove(stderr.Name())) }()
	cmd := rt.command(args...)
	cmd.Dir, cmd.Stderr = dir, stderr
	began := time.Now()
	err = cmd.Run()
	took = time.Since(began)
	if err != nil {
		said, _ := os.ReadFile(stderr.Name())
		return took, fmt.Errorf("%s %s: %w: %s", rt.name, strings.Join(args, " "), err, bytes.TrimSpace(said))
	}
	return took, nil
}

// command returns a command of the runtime.
func (rt *runtimeUnderTest) command(args ...string) *exec.Cmd {
	return exec.Command(rt.path, append([]string{"--root", rt.root}, args...)...)
}

// begin starts the container for exec and state, unless it runs.
func (rt *runtimeUnderTest) begin() error {
	if rt.live != "" {
		return nil
	}
	id := newID()
	dir, err := rt.bundle(id, "/bin/sleep", "100000")
	if err != nil {
		return err
	}
	rt.live = id
	_, err = rt.call(dir, "run", "--detach", id)
	return err
}

// end removes it.
func (rt *runtimeUnderTest) end() error {
	if rt.live == "" {
		return nil
	}
	_, err := rt.call(rt.work, "delete", "--force", rt.live)
	rt.live = ""
	return err
}

// waitForExit waits for the end of a process by its pidfd.
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
