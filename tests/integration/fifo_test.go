// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fifo is a pipe between a container and the test.
type fifo struct {
	c    *container
	file *os.File
	r    *bufio.Reader
}

// fifo creates /name in the container's root file system.
func (c *container) fifo(name string) *fifo {
	c.t.Helper()
	path := c.rootfs(name)
	if err := unix.Mkfifo(path, 0o666); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		c.t.Fatal(err)
	}
	// The fifo is open for reading and writing, so that neither this open nor the container's
	// blocks.
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { f.Close() })
	return &fifo{c, f, bufio.NewReader(f)}
}

// line reads a line, which it waits for.
func (f *fifo) line() string {
	f.c.t.Helper()
	if err := f.file.SetReadDeadline(time.Now().Add(suite.limit)); err != nil {
		f.c.t.Fatal(err)
	}
	s, err := f.r.ReadString('\n')
	if err != nil {
		f.c.t.Fatalf("wait for a line: %v", err)
	}
	return strings.TrimSuffix(s, "\n")
}

// pending returns what has been written and not been read yet. It does not wait.
func (f *fifo) pending() string {
	f.c.t.Helper()
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(int(f.file.Fd()), buf)
		if n <= 0 || err != nil {
			return string(all)
		}
		all = append(all, buf[:n]...)
	}
}

// send writes a line for the container to read.
func (f *fifo) send(s string) {
	f.c.t.Helper()
	if _, err := f.file.WriteString(s + "\n"); err != nil {
		f.c.t.Fatal(err)
	}
}

// long gives the container a program that prints "up" and runs until it is killed. waitUp waits
// for the "up".
func (c *container) long() (waitUp func()) {
	c.t.Helper()
	ready := c.fifo("ready")
	c.sh("echo up >/ready; exec tail -f /dev/null") // busybox's sleep ends when criu interrupts it
	return func() {
		c.t.Helper()
		if got := ready.line(); got != "up" {
			c.t.Fatalf("container said %q", got)
		}
	}
}

// running creates and starts a container that lives until it is killed.
func (c *container) running() *container {
	c.t.Helper()
	waitUp := c.long()
	c.create().start()
	waitUp()
	return c
}
