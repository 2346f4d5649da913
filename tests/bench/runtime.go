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

// runtime is one of those that are compared.
type runtime struct {
	name, path, version string
	root, work          string
	rootfs              string
	// live is a container that runs for exec and state.
	live string
	// lacks are operations that the runtime cannot do, with its error.
	lacks map[string]string
}

// ids makes ids and cgroup paths unique over all runtimes and modes.
var ids atomic.Int64

func newID() string { return fmt.Sprintf("bench%d-%d", os.Getpid(), ids.Add(1)) }

func newRuntime(c *config, n int, path string) (*runtime, error) {
	path, err := absolute(path)
	if err != nil {
		return nil, err
	}
	rt := &runtime{name: filepath.Base(path), path: path, rootfs: c.rootfs, lacks: map[string]string{}}
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

// spec is what engines usually ask for: their mounts, masks and namespaces, no
// seccomp and no limits.
func (rt *runtime) spec(id string, args ...string) *specs.Spec {
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

// bundle makes the bundle of a container, whose directory bears its id.
func (rt *runtime) bundle(id string, args ...string) (string, error) {
	dir := filepath.Join(rt.work, id)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	return dir, bundle.Write(dir, rt.spec(id, args...))
}

// call runs a command of the runtime and measures it. Its output goes to a file,
// which a container that lives on does not keep us waiting with.
func (rt *runtime) call(dir string, args ...string) (time.Duration, error) {
	return rt.launch(dir, rt.path, append([]string{"--root", rt.root}, args...)...)
}

// peakRSS is call for the memory of the largest process, in KiB. A small program
// measures it: a process inherits the peak of the one that starts it, and ours is
// larger than some runtimes.
func (rt *runtime) peakRSS(dir string, args ...string) (string, error) {
	out := filepath.Join(dir, "rss")
	_, err := rt.launch(dir, filepath.Join(rt.rootfs, "bin/busybox"),
		append([]string{"time", "-f", "%M", "-o", out, rt.path, "--root", rt.root}, args...)...)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(out)
	return strings.TrimSpace(string(data)), err
}

func (rt *runtime) launch(dir, name string, args ...string) (time.Duration, error) {
	stderr, err := os.CreateTemp(rt.work, "stderr.")
	if err != nil {
		return 0, err
	}
	defer func() {
		stderr.Close()
		os.Remove(stderr.Name())
	}()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stderr = dir, stderr
	began := time.Now()
	err = cmd.Run()
	took := time.Since(began)
	if err != nil {
		said, _ := os.ReadFile(stderr.Name())
		return took, fmt.Errorf("%s %s: %w: %s", rt.name, strings.Join(args, " "), err, bytes.TrimSpace(said))
	}
	return took, nil
}

// begin starts the container for exec and state, unless it runs.
func (rt *runtime) begin() error {
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
func (rt *runtime) end() error {
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
