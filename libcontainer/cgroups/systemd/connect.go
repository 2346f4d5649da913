// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/berth-run/berth/libcontainer/internal/unixsocket"
	"golang.org/x/sys/unix"
)

// flag is the option that selects this driver, for errors.
const flag = "--systemd-cgroup"

// manager is a service manager: that of the host, or of a user.
type manager struct {
	user bool
	// uid is that user's id on the host.
	uid int
	// sockets, if not nil, are where to connect to it.
	sockets []socket
}

// socket is a way to a manager.
type socket struct {
	// path is the path of a unix socket. An abstract one begins with "@".
	path string
	// bus means that it is the socket of a message bus.
	bus bool
}

// connect connects to the manager's own socket, as systemctl does. A message bus might not run
// at all, and is another process that wakes up twice for each message.
func (m *manager) connect(deadline time.Time) (*conn, error) {
	sockets, err := m.find()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, s := range sockets {
		c, err := dial(s, deadline)
		if err == nil {
			return c, nil
		}
		errs = append(errs, fmt.Errorf("connect to %s: %w", s.path, err))
	}
	err = errs[0]
	for _, e := range errs[1:] {
		err = fmt.Errorf("%w; %w", err, e)
	}
	if m.user {
		return nil, fmt.Errorf("%s: systemd does not run for user %d: %w", flag, m.uid, err)
	}
	return nil, fmt.Errorf("%s: systemd cannot be reached: %w", flag, err)
}

// find lists the possible sockets of the manager, best first.
func (m *manager) find() ([]socket, error) {
	if m.sockets != nil {
		return m.sockets, nil
	}
	if m.user {
		getenv := os.Getenv
		if m.uid != hostUID() {
			// The environment leads to the caller's own manager, but here root acts on a user's
			// container.
			getenv = func(string) string { return "" }
		}
		return userSockets(getenv, m.uid)
	}
	// sd_booted(3) makes the same check.
	if _, err := os.Lstat("/run/systemd/system"); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: systemd is not running as the service manager of this host (/run/systemd/system does not exist)", flag)
	}
	return systemSockets(os.Getenv)
}

const (
	privateSocket    = "/systemd/private"
	systemBusSocket  = "/run/dbus/system_bus_socket"
	systemBusAddress = "DBUS_SYSTEM_BUS_ADDRESS"
	userBusAddress   = "DBUS_SESSION_BUS_ADDRESS"
	userRuntime      = "XDG_RUNTIME_DIR"
)

func systemSockets(getenv func(string) string) ([]socket, error) {
	list := []socket{{path: "/run" + privateSocket}}
	if address := getenv(systemBusAddress); address != "" {
		buses, err := parseAddress(address, "")
		if err != nil {
			return nil, fmt.Errorf("environment: %s: %w", systemBusAddress, err)
		}
		return append(list, buses...), nil
	}
	return append(list, socket{path: systemBusSocket, bus: true}), nil
}

// userSockets assumes the directory of pam_systemd(8) if XDG_RUNTIME_DIR is not set.
func userSockets(getenv func(string) string, uid int) ([]socket, error) {
	runtime := getenv(userRuntime)
	if runtime == "" {
		runtime = "/run/user/" + strconv.Itoa(uid)
	}
	list := []socket{{path: runtime + privateSocket}}
	if address := getenv(userBusAddress); address != "" {
		buses, err := parseAddress(address, runtime)
		if err != nil {
			return nil, fmt.Errorf("environment: %s: %w", userBusAddress, err)
		}
		return append(list, buses...), nil
	}
	return append(list, socket{path: runtime + "/bus", bus: true}), nil
}

// parseAddress returns the unix sockets in a list of D-Bus addresses (D-Bus Specification,
// "Server Addresses"): "unix:path=/run/bus,guid=…;unix:abstract=x".
func parseAddress(text, runtime string) ([]socket, error) {
	var list []socket
	for address := range strings.SplitSeq(text, ";") {
		options, ok := strings.CutPrefix(address, "unix:")
		if !ok {
			continue // A bus over TCP does not know this host's users.
		}
		for option := range strings.SplitSeq(options, ",") {
			key, value, _ := strings.Cut(option, "=")
			value, err := unescapeAddress(value)
			if err != nil {
				return nil, err
			}
			switch {
			case key == "path" && value != "":
				// The path of a file may begin with "@", which here marks an abstract socket.
				if value[0] == '@' {
					value = "./" + value
				}
				list = append(list, socket{path: value, bus: true})
			case key == "abstract" && value != "":
				list = append(list, socket{path: "@" + value, bus: true})
			case key == "runtime" && value == "yes":
				list = append(list, socket{path: runtime + "/bus", bus: true})
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no unix socket in %q", text)
	}
	return list, nil
}

// unescapeAddress decodes "%20" in a value of an address.
func unescapeAddress(value string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '%' {
			b.WriteByte(value[i])
			continue
		}
		if i+2 >= len(value) {
			return "", fmt.Errorf("incomplete escape in %q", value)
		}
		n, err := strconv.ParseUint(value[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("not an escape in %q: %q", value, value[i:i+3])
		}
		b.WriteByte(byte(n))
		i += 2
	}
	if strings.IndexByte(b.String(), 0) >= 0 {
		return "", fmt.Errorf("a NUL byte in %q", value)
	}
	return b.String(), nil
}

// hostUID returns the host uid of the user whose manager is used: root in a user namespace is
// another user outside.
func hostUID() int {
	euid := os.Geteuid()
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return euid // A kernel without user namespaces.
	}
	return outsideID(string(text), euid)
}

// outsideID maps an id with the rows of a uid_map: inside, outside, count.
func outsideID(rows string, id int) int {
	for row := range strings.Lines(rows) {
		f := strings.Fields(row)
		if len(f) != 3 {
			continue
		}
		inside, err1 := strconv.Atoi(f[0])
		outside, err2 := strconv.Atoi(f[1])
		count, err3 := strconv.Atoi(f[2])
		if err1 == nil && err2 == nil && err3 == nil && id >= inside && id-inside < count {
			return outside + id - inside
		}
	}
	return id
}

// dial connects to one socket, and names it in errors. A connect(2) to a unix socket blocks if
// its backlog is full, until the send timeout.
func dial(s socket, deadline time.Time) (*conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	for {
		left := max(time.Until(deadline), time.Millisecond)
		timeout := unix.NsecToTimeval(int64(left))
		if err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout); err == nil {
			err = unixsocket.Connect(fd, s.path)
		}
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.EAGAIN) {
		err = os.ErrDeadlineExceeded
	}
	if err == nil {
		err = unix.SetNonblock(fd, true) // so that deadlines can be set
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	c := newConn(os.NewFile(uintptr(fd), s.path))
	if err := c.until(deadline); err != nil {
		return nil, errors.Join(err, c.close())
	}
	if err := c.introduce(s.bus); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}
