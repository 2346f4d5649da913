// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// namespaces are those of a node, and its cgroups of v1, made by the script ./node.
type namespaces struct {
	node *node
	// cgroup is the name of its cgroup in each hierarchy.
	cgroup string
	// first is the first process, which ends when stdin is closed.
	first *exec.Cmd
	stdin io.Closer
}

func newNamespaces(n *node) (*namespaces, error) {
	s := &namespaces{node: n, cgroup: filepath.Base(suite.work) + "-" + n.name}
	s.first = exec.Command(filepath.Join(suite.staged, "node"), n.name, n.dir, s.cgroup)
	stdin, err := s.first.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := s.first.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.stdin, s.first.Stderr = stdin, os.Stderr
	if err := s.first.Start(); err != nil {
		return nil, err
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "up\n" {
		return nil, errors.Join(fmt.Errorf("node %s does not come up: %q: %w", n.name, line, err), s.stop())
	}
	return s, nil
}

func (s *namespaces) pid() string { return strconv.Itoa(s.first.Process.Pid) }

func (s *namespaces) connect() error {
	port := "port-" + s.node.name
	if err := command("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", s.pid()); err != nil {
		return err
	}
	if err := command("ip", "link", "set", port, "master", "br0", "up"); err != nil {
		return err
	}
	for _, args := range []string{
		"addr add " + s.node.address() + "/24 dev eth0",
		"link set eth0 up",
		"route add default via " + controlAddress,
	} {
		if err := s.node.command("ip", strings.Fields(args)...); err != nil {
			return err
		}
	}
	return nil
}

// within returns a shell that becomes the command in the node's cgroups and namespaces.
func (s *namespaces) within(args ...string) []string {
	const script = `cgroup=$1 pid=$2; shift 2
for hierarchy in /sys/fs/cgroup/*/"$cgroup"; do echo $$ >"$hierarchy/cgroup.procs" || exit; done
exec nsenter --target "$pid" --mount --net --uts --ipc --cgroup --wd=/ -- "$@"`
	return append([]string{"sh", "-c", script, "sh", s.cgroup, s.pid()}, args...)
}

// send does nothing: the files are seen there.
func (s *namespaces) send(...string) error { return nil }

func (s *namespaces) stop() error {
	var all []error
	s.stdin.Close()
	hierarchies, err := filepath.Glob("/sys/fs/cgroup/*/" + s.cgroup)
	all = append(all, err)
	for _, dir := range hierarchies {
		all = append(all, killAll(dir))
	}
	_ = s.first.Wait() // It was killed.
	for _, dir := range hierarchies {
		all = append(all, removeCgroup(dir))
	}
	return errors.Join(all...)
}

// killAll kills all processes in a cgroup of the hierarchy and below, and waits for their end.
func killAll(dir string) error {
	return until(20*time.Second, "processes in "+dir, func() error {
		pids, err := processes(dir)
		if err != nil {
			return err
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		if len(pids) > 0 {
			return fmt.Errorf("%d of them", len(pids))
		}
		return nil
	})
}

// processes returns those in a cgroup and below.
func processes(dir string) ([]int, error) {
	var pids []int
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // Removed meanwhile.
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil {
			return nil //nolint:nilerr // Removed meanwhile, or a threaded cgroup.
		}
		for line := range strings.FieldsSeq(string(data)) {
			pid, err := strconv.Atoi(line)
			if err != nil {
				return err
			}
			pids = append(pids, pid)
		}
		return nil
	})
	return pids, err
}

// removeCgroup removes a cgroup and those below.
func removeCgroup(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil //nolint:nilerr // What is gone needs no removal.
	})
	if err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		err := until(10*time.Second, "remove "+dirs[i], func() error {
			if err := syscall.Rmdir(dirs[i]); err != nil && !errors.Is(err, syscall.ENOENT) {
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
