// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
	"golang.org/x/sys/unix"
)

// maxPasswd is how much of /etc/passwd is read: the file is the image's, and the
// builder's memory is the host's.
const maxPasswd = 1 << 20

// Home is the home directory of uid by the container's /etc/passwd, "/" when it
// has none.
func (b *Builder) Home(uid uint32) (string, error) {
	return home(b.root, b.proc, uid)
}

// Home is Builder.Home in a container that is there already; root is its root
// directory.
func Home(root *os.File, uid uint32) (string, error) {
	proc, err := procfs.Host()
	if err != nil {
		return "", err
	}
	defer proc.Close()
	return home(inroot.FromFD(int(root.Fd())), proc, uid)
}

func home(root *inroot.Root, proc *procfs.Handle, uid uint32) (string, error) {
	fd, err := root.Open("/etc/passwd", unix.O_PATH, 0)
	if isMissing(err) {
		return "/", nil
	}
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	id, err := identify(fd)
	if err != nil {
		return "", err
	}
	if id.mode&unix.S_IFMT != unix.S_IFREG {
		// To open a fifo would block, and a device might do anything.
		return "/", nil
	}
	data, err := readFile(proc, fd)
	if err != nil {
		return "", &os.PathError{Op: "read", Path: "/etc/passwd", Err: err}
	}
	return homeOf(data, uid), nil
}

// readFile reads up to maxPasswd bytes of the very file that fd (O_PATH) is.
func readFile(proc *procfs.Handle, fd int) ([]byte, error) {
	in, err := proc.Reopen(fd, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	var data []byte
	buf := make([]byte, 8<<10)
	for len(data) < maxPasswd {
		n, err := unix.Read(in, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, unix.Close(in))
		}
		if n == 0 {
			break
		}
		data = append(data, buf[:n]...)
	}
	return data, unix.Close(in)
}

// homeOf finds the sixth field of the first line of passwd(5) that has uid as its
// third. Lines that are not well formed are passed over.
func homeOf(passwd []byte, uid uint32) string {
	for len(passwd) > 0 {
		var line []byte
		line, passwd, _ = bytes.Cut(passwd, []byte{'\n'})
		fields := bytes.Split(line, []byte{':'})
		if len(fields) < 6 {
			continue
		}
		n, err := strconv.ParseUint(string(fields[2]), 10, 32)
		if err != nil || uint32(n) != uid {
			continue
		}
		home := fields[5]
		// It becomes part of the environment, where NUL ends a string.
		if len(home) == 0 || bytes.IndexByte(home, 0) >= 0 {
			return "/"
		}
		return string(home)
	}
	return "/"
}
