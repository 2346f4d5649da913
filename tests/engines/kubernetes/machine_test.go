// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// agentPort is where ./agent listens in a virtual machine.
const agentPort = "9000"

// A machine is a virtual machine of tests/vm, with systemd as its first process. The script
// ./machine makes a node of it.
type machine struct {
	node *node
	boot *daemon
}

func newMachine(n *node) (*machine, error) {
	m := &machine{node: n}
	payload := filepath.Join(suite.work, "payload")
	if err := os.MkdirAll(filepath.Join(payload, "runtimes"), 0o755); err != nil {
		return nil, err
	}
	// What these link to is at the same path there.
	line := []string{"./machine", n.name, n.address(), controlAddress, n.dir, agentPort}
	content, err := m.content()
	if err != nil {
		return nil, err
	}
	for source, name := range content {
		if err := command("cp", "--recursive", "--dereference", source, filepath.Join(payload, name)); err != nil {
			return nil, err
		}
		line = append(line, source+"="+name)
	}
	if err := command("cp", filepath.Join(suite.staged, "machine"), payload); err != nil {
		return nil, err
	}
	// Room for what it keeps: its disk has some of the payload's size to spare.
	spare, err := os.Create(filepath.Join(payload, "spare"))
	if err != nil {
		return nil, err
	}
	defer spare.Close()
	if err := spare.Truncate(4 << 30); err != nil {
		return nil, err
	}
	if err := command("ip", "tuntap", "add", m.port(), "mode", "tap"); err != nil {
		return nil, err
	}
	m.boot = newDaemon(n.cluster.logs, n.name+"-boot", os.Getenv("BOOT"), "--timeout", "14400", "--memory", "5G",
		"--tap", m.port(), "--console", filepath.Join(n.cluster.logs, n.name+"-console.log"),
		suite.machine, payload, strings.Join(line, " "))
	return m, m.boot.start()
}

// content is what the machine gets, and the name in its payload.
func (m *machine) content() (map[string]string, error) {
	all := map[string]string{suite.programs: "programs", filepath.Join(suite.staged, "agent"): "agent"}
	for _, r := range suite.runtimes {
		all[r.path] = "runtimes/" + r.name
		dirs, err := libraries(r.path)
		if err != nil {
			return nil, err
		}
		for i, dir := range dirs {
			all[dir] = fmt.Sprintf("runtimes/%s-libraries-%d", r.name, i)
		}
	}
	if criu := os.Getenv("CRIU"); criu != "" {
		all[criu] = "criu"
	}
	return all, nil
}

// libraries returns the directories in which a program looks for its own libraries and its loader.
func libraries(program string) ([]string, error) {
	file, err := elf.Open(program)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	defer file.Close()
	paths, err := file.DynString(elf.DT_RPATH)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	return filepath.SplitList(strings.Join(paths, ":")), nil
}

func (m *machine) port() string { return "port-" + m.node.name }

// connect waits until the machine is up.
func (m *machine) connect() error {
	if err := command("ip", "link", "set", m.port(), "master", "br0", "up"); err != nil {
		return err
	}
	return until(5*time.Minute, m.node.name, func() error {
		if !m.boot.running() {
			return fmt.Errorf("it has ended: %s", tail(m.boot.log, 1500))
		}
		return m.node.command("true")
	})
}

func (m *machine) within(args ...string) []string {
	return append([]string{filepath.Join(suite.staged, "agent"), "call", m.node.address() + ":" + agentPort}, args...)
}

func (m *machine) send(paths ...string) error {
	archive := exec.Command("tar", append([]string{"--create", "--directory=/", "--absolute-names"}, paths...)...)
	out, err := archive.StdoutPipe()
	if err != nil {
		return err
	}
	line := m.within("tar", "--extract", "--directory=/", "--absolute-names")
	extract := exec.Command(line[0], line[1:]...)
	extract.Stdin = out
	if err := archive.Start(); err != nil {
		return err
	}
	text, err := extract.CombinedOutput()
	if failed := archive.Wait(); err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("send %v to %s: %w: %s", paths, m.node.name, err, text)
	}
	return nil
}

func (m *machine) stop() error {
	m.boot.end(syscall.SIGTERM)
	return nil
}
