// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestUpgrade repeatedly installs berth over itself while a container runs and others call berth.
// Each call finds a complete program, and the container is not affected.
func TestUpgrade(t *testing.T) {
	onlyBerth(t)
	_, err := os.Stat("../../.ci/install")
	require(t, err == nil, "the programs that make install runs")
	c := newContainer(t).args("/bin/sleep", "1000")
	prefix := c.path("prefix")
	installed := prefix + "/bin/berth"
	install := func() error {
		cmd := exec.Command("../../.ci/install", "install", suite.runtime+":755:"+installed)
		cmd.Env = append(os.Environ(), "DESTDIR=", "PREFIX="+prefix)
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = errors.Join(err, errors.New(string(out)))
		}
		return err
	}
	if err := install(); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(installed)
	if err != nil {
		t.Fatal(err)
	}
	c.write()
	call := func(args ...string) *result {
		t.Helper()
		r, err := c.finish(c.exec(nil, installed, append(c.globals(), args...)...))
		if err != nil {
			t.Fatal(err) // there was no program to be executed
		}
		return r.must()
	}
	call("create", "--pid-file", c.path("pid"), c.id)
	c.pid = c.readPID()
	call("start", c.id)

	done, ended := make(chan error, 1), make(chan struct{})
	t.Cleanup(func() { <-ended })
	go func() {
		defer close(ended)
		var err error
		for range 30 {
			err = errors.Join(err, install())
		}
		done <- err
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
			want(t, "printed", call("exec", c.id, "echo", "still here").out, "still here\n")
		}
	}
	after, err := os.Stat(installed)
	if err != nil {
		t.Fatal(err)
	}
	if !after.ModTime().After(before.ModTime()) {
		t.Error("nothing was installed")
	}
	c.status(specs.StateRunning)
	call("kill", c.id, "KILL")
	c.wait()
	call("delete", c.id)
	c.checkNothingLeft()
}
