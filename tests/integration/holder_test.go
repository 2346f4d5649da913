// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// holderHelper makes the test binary a program that holds a resource which a checkpoint must
// save. It answers each line of /in with a line in /out: the number of lines so far, and what is
// wrong with the resource, if anything. Its arguments are the kind of resource and the argument
// of that kind.
const holderHelper = "holder"

// holders returns a function for each kind. It takes the argument, acquires the resource and
// returns a function that checks it.
func holders() map[string]func(string) (func() error, error) {
	return map[string]func(string) (func() error, error){
		"lock": holdLock, "tcp": holdTCP, "pending": holdPending, "unix": holdUnix, "unlinked": holdUnlinked, "memory": holdMemory,
		"remote": holdRemote,
	}
}

// hold is the program.
func hold(args []string) error {
	if len(args) != 2 || holders()[args[0]] == nil {
		return fmt.Errorf("holder: arguments %q", args)
	}
	check, err := holders()[args[0]](args[1])
	if err != nil {
		return err
	}
	in, err := os.Open("/in")
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		answer := strconv.Itoa(n)
		if err := check(); err != nil {
			answer += " " + err.Error()
		}
		if err := os.WriteFile("/out", []byte(answer+"\n"), 0); err != nil {
			return err
		}
	}
	return lines.Err()
}

// holdLock holds a lock on a file.
func holdLock(path string) (func() error, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	check := func() error {
		again, err := os.Open(path)
		if err != nil {
			return err
		}
		defer again.Close()
		if err := unix.Flock(int(again.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("is not locked: %w", err)
		}
		return f.Sync() // keeps f alive
	}
	return check, unix.Flock(int(f.Fd()), unix.LOCK_EX)
}

// dial connects to a port of the loopback interface.
func dial(port int) (int, error) {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, err
	}
	return s, unix.Connect(s, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
}

// listen listens on a port of the loopback interface, and connects to it.
func listen(text string) (port, listener, client int, err error) {
	if port, err = strconv.Atoi(text); err != nil {
		return 0, -1, -1, err
	}
	if listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err == nil {
		err = errors.Join(
			unix.SetsockoptInt(listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
			unix.Bind(listener, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}),
			unix.Listen(listener, 5))
	}
	if err == nil {
		client, err = dial(port)
	}
	return port, listener, client, err
}

// holdPending holds a connection that nobody has accepted.
func holdPending(text string) (func() error, error) {
	port, _, _, err := listen(text)
	return func() error {
		s, err := dial(port)
		return errors.Join(err, unix.Close(s))
	}, err
}

// holdTCP holds both ends of a connection.
func holdTCP(text string) (func() error, error) {
	_, listener, client, err := listen(text)
	if err != nil {
		return nil, err
	}
	server, _, err := unix.Accept(listener)
	return func() error {
		if err := unix.Send(client, []byte("x"), unix.MSG_NOSIGNAL); err != nil {
			return errors.New("is disconnected")
		}
		buf := make([]byte, 1)
		if n, err := unix.Read(server, buf); err != nil || n != 1 || buf[0] != 'x' {
			return errors.New("is disconnected")
		}
		return nil
	}, err
}

// holdUnix holds a datagram socket that is connected to another socket.
func holdUnix(path string) (func() error, error) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	return func() error { return unix.Send(s, []byte("x"), unix.MSG_NOSIGNAL) }, unix.Connect(s, &unix.SockaddrUnix{Name: path})
}

// holdUnlinked holds an open file that was unlinked.
func holdUnlinked(path string) (func() error, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	check := func() error {
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Nlink != 1 {
			return fmt.Errorf("has %d links: %w", st.Nlink, err)
		}
		return nil
	}
	return check, errors.Join(os.Link(path, path+".other"), os.Remove(path))
}

// holdMemory holds the given number of MiB of memory with content other than zeros.
func holdMemory(text string) (func() error, error) {
	size, err := strconv.Atoi(text)
	memory := make([]uint32, size<<18)
	for i := range memory {
		memory[i] = uint32(i) * 2654435761
	}
	return func() error {
		for i := range memory {
			if memory[i] != uint32(i)*2654435761 {
				return errors.New("is changed")
			}
		}
		return nil
	}, err
}

// holdRemote holds a connection to an IPv4 or IPv6 address and port, where a server sends back
// what it receives.
func holdRemote(text string) (func() error, error) {
	conn, err := net.Dial("tcp", text)
	if err != nil {
		return nil, err
	}
	return func() error {
		if _, err := conn.Write([]byte("x")); err != nil {
			return errors.New("is disconnected")
		}
		buf := make([]byte, 1)
		if _, err := conn.Read(buf); err != nil || buf[0] != 'x' {
			return errors.New("is disconnected")
		}
		return nil
	}, nil
}
