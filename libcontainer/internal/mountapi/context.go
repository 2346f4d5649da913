// SPDX-License-Identifier: Apache-2.0

// Package mountapi wraps the mount API of Linux that works on file descriptors: fsopen(2),
// fsconfig(2), fsmount(2), open_tree(2), move_mount(2) and mount_setattr(2).
//
// It knows the kernel's calls, flags and messages, and nothing about containers. It has one
// invariant: no function here resolves more than one path, and an error names the call (and the
// path, if there was one) exactly once.
package mountapi

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// MaxOption is the length of the longest string that fsconfig(2) accepts as a value. A longer
// one needs mount(2).
const MaxOption = 255

// Context is a file system that is being configured (fsopen(2), fspick(2)).
type Context struct {
	fd   int
	name string
}

// NewContext opens a context for a file system type. The caller closes it.
func NewContext(fstype string) (*Context, error) {
	fd, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, &os.PathError{Op: "fsopen", Path: fstype, Err: err}
	}
	return &Context{fd: fd, name: fstype}, nil
}

// ContextFromFD wraps a context that another process has opened, and takes fd over.
func ContextFromFD(fd int, fstype string) *Context {
	return &Context{fd: fd, name: fstype}
}

// Pick opens a context to reconfigure the file system of the mount that fd refers to.
func Pick(fd int) (*Context, error) {
	c, err := unix.Fspick(fd, "", unix.FSPICK_CLOEXEC|unix.FSPICK_EMPTY_PATH)
	if err != nil {
		return nil, os.NewSyscallError("fspick", err)
	}
	return &Context{fd: c, name: "file system"}, nil
}

// Close releases the context. What it has mounted stays.
func (c *Context) Close() error { return unix.Close(c.fd) }

// SetString sets a parameter that has a value.
func (c *Context) SetString(key, value string) error {
	if err := unix.FsconfigSetString(c.fd, key, value); err != nil {
		return c.explain("fsconfig "+key+"="+value, err)
	}
	return nil
}

// SetFlag sets a parameter that has no value.
func (c *Context) SetFlag(key string) error {
	if err := unix.FsconfigSetFlag(c.fd, key); err != nil {
		return c.explain("fsconfig "+key, err)
	}
	return nil
}

// SetOption sets one option in the form of mount(8): "key=value" or "key". A value may be in
// double quotes, which engines put around SELinux labels because those contain commas.
// fsconfig(2), unlike mount(2), would take them for a part of the label.
func (c *Context) SetOption(option string) error {
	key, value, ok := strings.Cut(option, "=")
	if !ok {
		return c.SetFlag(option)
	}
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	return c.SetString(key, value)
}

// Create creates the superblock, or finds the existing one.
func (c *Context) Create() error {
	if err := unix.FsconfigCreate(c.fd); err != nil {
		return c.explain("fsconfig create", err)
	}
	return nil
}

// Reconfigure applies the parameters to the picked superblock.
func (c *Context) Reconfigure() error {
	if err := unix.FsconfigReconfigure(c.fd); err != nil {
		return c.explain("fsconfig reconfigure", err)
	}
	return nil
}

// Mount makes a detached mount with the MOUNT_ATTR_* in attrs. The caller owns the descriptor.
// Closing it before MoveMount destroys the mount, which costs an RCU grace period.
func (c *Context) Mount(attrs uint64) (int, error) {
	fd, err := unix.Fsmount(c.fd, unix.FSMOUNT_CLOEXEC, int(attrs))
	if err != nil {
		return -1, c.explain("fsmount", err)
	}
	return fd, nil
}

// explain adds what the kernel has logged in the context. It names the value of the option that
// the kernel refused, whereas the errno is always EINVAL.
func (c *Context) explain(call string, err error) error {
	if log := c.log(); log != "" {
		return fmt.Errorf("%s: %w (%s)", call, err, log)
	}
	return fmt.Errorf("%s: %w", call, err)
}

// log reads all messages of the context. Each read(2) returns one, which begins with a letter
// for its level and a space.
func (c *Context) log() string {
	var out []string
	buf := make([]byte, 1024)
	// The kernel keeps 8 messages. The bound only guards against a kernel that never ends.
	for range 32 {
		n, err := unix.Read(c.fd, buf)
		if err != nil || n <= 0 {
			break
		}
		msg := bytes.TrimSpace(buf[:n])
		if len(msg) > 2 && msg[1] == ' ' {
			msg = msg[2:]
		}
		out = append(out, string(msg))
	}
	return strings.Join(out, "; ")
}
