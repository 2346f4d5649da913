// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// stack has the containers that the runtime runs, and their directories.
type stack struct {
	config  *config
	seccomp *specs.LinuxSeccomp
	// work contains everything that is created; state, below it, is the runtime's root.
	work, state string
	logs        io.Writer
	// running are the containers that exist, in the order of their creation.
	running []*service
	// generation counts the configurations of the web tier since its start.
	generation int
	// seen has what containers saw when they were created, by name.
	seen map[string]*view
}

// view has the files that a container sees before it starts.
type view struct {
	files  []string
	starts int
}

// prepare creates the directories that containers see.
func (s *stack) prepare() error {
	// The first processes of containers become children of this one, as with an engine's shim, so
	// that it can wait for them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a subreaper: %w", err)
	}
	if err := os.Chmod(s.work, 0o755); err != nil {
		return err
	}
	for _, dir := range []string{"state", "web", "app", "data"} {
		if err := os.Mkdir(s.path(dir), 0o755); err != nil {
			return err
		}
	}
	postgres, err := accountOf(s.config.roots[dbTier], accounts[dbTier])
	if err != nil {
		return err
	}
	if err := os.Chown(s.path("data"), int(postgres.UID), int(postgres.GID)); err != nil {
		return err
	}
	if err := os.Chmod(s.path("data"), 0o700); err != nil {
		return err
	}
	for file, dir := range map[string]string{"app.py": "app", "nginx.conf": "web"} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.path(dir), file), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// accountOf looks a user up in the root file system's own passwd.
func accountOf(root, name string) (specs.User, error) {
	file := filepath.Join(root, "etc/passwd")
	data, err := os.ReadFile(file)
	if err != nil {
		return specs.User{}, err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(line, ":")
		if len(fields) < 4 || fields[0] != name {
			continue
		}
		uid, uidErr := strconv.ParseUint(fields[2], 10, 32)
		gid, gidErr := strconv.ParseUint(fields[3], 10, 32)
		return specs.User{UID: uint32(uid), GID: uint32(gid)}, errors.Join(uidErr, gidErr)
	}
	return specs.User{}, fmt.Errorf("%s: no user %s", file, name)
}

// berth runs the runtime and returns its output.
func (s *stack) berth(args ...string) (string, error) {
	cmd := exec.Command(s.config.berth, append([]string{"--root", s.state}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("berth %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// create creates a container whose output goes to its log.
func (s *stack) create(svc *service) error {
	if s.seen[svc.name] == nil {
		if err := s.writeBundle(svc); err != nil {
			return err
		}
	}
	log, err := os.Create(s.log(svc))
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{
		"--root", s.state, "create", "--bundle", s.bundle(svc), "--pid-file", s.pidFile(svc),
		"--network", network(svc), svc.name,
	}
	cmd := exec.Command(s.config.berth, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(s.log(svc))
		return fmt.Errorf("berth %s: %w: %s", strings.Join(args[2:], " "), err, bytes.TrimSpace(said))
	}
	s.running = append(s.running, svc)
	return nil
}

// start creates a container and starts it. Before the start it compares the files that the
// container sees with those of its last start.
func (s *stack) start(svc *service) error {
	if err := s.create(svc); err != nil {
		return err
	}
	if err := s.look(svc); err != nil {
		return fmt.Errorf("files of %s: %w", svc.name, err)
	}
	_, err := s.berth("start", svc.name)
	return err
}

func (s *stack) look(svc *service) error {
	pid, err := s.pid(svc)
	if err != nil {
		return err
	}
	skip := []string{"/proc", "/sys"} // file systems of the kernel
	if svc.writable {
		skip = append(skip, svc.mountpoint)
	}
	files, err := snapshot(pid, svc.mountpoint, skip...)
	if err != nil {
		return err
	}
	before := s.seen[svc.name]
	if before == nil {
		s.seen[svc.name] = &view{files: files, starts: 1}
		return nil
	}
	before.starts++
	return sameFiles(before.files, files)
}

// service returns a running service by name.
func (s *stack) service(name string) *service {
	for _, svc := range s.running {
		if svc.name == name {
			return svc
		}
	}
	return nil
}

// pid returns the pid of a container's first process.
func (s *stack) pid(svc *service) (int, error) {
	data, err := os.ReadFile(s.pidFile(svc))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(data))
}

// wait waits for a container's first process to end, and returns its wait status.
func (s *stack) wait(svc *service) (unix.WaitStatus, error) {
	pid, err := s.pid(svc)
	if err != nil {
		return 0, err
	}
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			return status, err
		}
	}
}

// ended reports whether a container's first process has ended.
func (s *stack) ended(svc *service) (bool, error) {
	pid, err := s.pid(svc)
	if err != nil {
		return false, err
	}
	var info unix.Siginfo
	err = unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return info.Signo != 0, err
}

// stop ends a container by a signal and deletes it.
func (s *stack) stop(svc *service, signal string) error {
	if _, err := s.berth("kill", svc.name, signal); err != nil {
		return err
	}
	if _, err := s.wait(svc); err != nil {
		return fmt.Errorf("wait for %s: %w", svc.name, err)
	}
	return s.remove(svc)
}

func (s *stack) remove(svc *service, flags ...string) error {
	if _, err := s.berth(append(append([]string{"delete"}, flags...), svc.name)...); err != nil {
		return err
	}
	for i, other := range s.running {
		if other == svc {
			s.running = append(s.running[:i:i], s.running[i+1:]...)
			break
		}
	}
	log, err := os.ReadFile(s.log(svc))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.logs, "-- %s:\n%s", svc.name, log)
	return err
}

// takeDown deletes the remaining containers by force, the last one first.
func (s *stack) takeDown() error {
	var errs []error
	for _, svc := range slices.Backward(slices.Clone(s.running)) {
		errs = append(errs, s.remove(svc, "--force"))
	}
	return errors.Join(errs...)
}
