// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// errNoLink lets callers recognise a missing interface.
var errNoLink = errors.New("no such network interface")

// address is an IP address of an interface.
type address = netlink.Addr

// link is an interface in a namespace.
type link struct {
	netlink.Link
	name  string
	index int
	up    bool
}

// namespace is a network namespace to which requests can be sent from outside: a netlink socket
// always belongs to the namespace of the thread that created it.
type namespace struct {
	file   *os.File
	handle *netlink.Handle
	// sockets is for the one request that the handle does not have.
	sockets map[int]*nl.SocketHandle
}

// openNamespace opens the namespace that file refers to. It does not close file.
func openNamespace(file *os.File) (*namespace, error) {
	done := make(chan error)
	n := &namespace{}
	osthread.Go(func() { done <- n.open(file) })
	if err := <-done; err != nil {
		return nil, errors.Join(fmt.Errorf("netlink socket in %s: %w", file.Name(), err), n.close())
	}
	return n, nil
}

// open runs on a thread that ends afterwards.
func (n *namespace) open(file *os.File) error {
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("setns", err)
	}
	fd, err := sysfile.Dup(int(file.Fd()))
	if err != nil {
		return err
	}
	n.file = os.NewFile(uintptr(fd), file.Name())
	if n.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return err
	}
	sock, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	n.sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: sock}}
	return nil
}

func (n *namespace) close() error {
	if n.handle != nil {
		n.handle.Close()
	}
	for _, s := range n.sockets {
		s.Close()
	}
	if n.file == nil {
		return nil
	}
	return n.file.Close()
}

// link finds an interface by its name or an alternative name. It returns errNoLink if there is
// none.
func (n *namespace) link(name string) (*link, error) {
	l, err := n.handle.LinkByName(name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil, fmt.Errorf("%w: %q", errNoLink, name)
	}
	if err != nil {
		return nil, fmt.Errorf("look for interface %q: %w", name, err)
	}
	a := l.Attrs()
	return &link{l, a.Name, a.Index, a.RawFlags&unix.IFF_UP != 0}, nil
}

// maxName is the kernel's IFNAMSIZ without the NUL.
const maxName = 15

// freeName returns a name that no interface has yet: name itself, or name with "%d" replaced by
// the first free number. The kernel does the same with such a template, but does not report the
// result.
func (n *namespace) freeName(name string) (string, error) {
	before, after, template := strings.Cut(name, "%d")
	for i := 0; ; i++ {
		try := name
		if template {
			try = before + strconv.Itoa(i) + after
		}
		if len(try) > maxName {
			return "", fmt.Errorf("no name like %q is free in the container", name)
		}
		_, err := n.link(try)
		switch {
		case errors.Is(err, errNoLink):
			return try, nil
		case err != nil:
			return "", err
		case !template:
			return "", fmt.Errorf("the container has an interface %q already: %w", name, unix.EEXIST)
		}
	}
}

// dumpTries limits how often a list that others are changing is read again.
const dumpTries = 10

// addresses returns the addresses that must survive a move: permanent ones of global scope. The
// kernel manages the others. They are in the order in which to add them, because of two equal
// ones the kernel prefers the first as source address: it puts a new IPv4 address after the
// others, and a new IPv6 address before them.
func (n *namespace) addresses(l *link) ([]address, error) {
	var all []address
	err := error(netlink.ErrDumpInterrupted)
	for i := 0; i < dumpTries && errors.Is(err, netlink.ErrDumpInterrupted); i++ {
		all, err = n.handle.AddrList(l.Link, netlink.FAMILY_ALL)
	}
	if err != nil {
		return nil, err
	}
	var v4, v6 []address
	for i := range all {
		switch a := &all[i]; {
		case a.Flags&unix.IFA_F_PERMANENT == 0 || a.Scope != unix.RT_SCOPE_UNIVERSE:
		case a.IP.To4() != nil:
			v4 = append(v4, *a)
		default:
			v6 = append(v6, *a)
		}
	}
	slices.Reverse(v6)
	return append(v4, v6...), nil
}

// settableFlags are the flags of an address that can be set when it is added. The rest is state
// of the kernel.
const settableFlags = unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR |
	unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN

// addAddresses adds the addresses that the link had as hostName. It is not an error if the link
// has one already.
func (n *namespace) addAddresses(l *link, hostName string, addresses []address) error {
	for i := range addresses {
		a := addresses[i] // a copy, because moving back needs the original
		a.Flags &= settableFlags
		a.Label = label(a.Label, hostName, l.name)
		if a.Broadcast == nil && a.IP.To4() != nil {
			a.Broadcast = net.IPv4zero // none; nil would mean "calculate one"
		}
		if err := n.handle.AddrReplace(l.Link, &a); err != nil {
			return fmt.Errorf("add address %s: %w", a.IPNet, err)
		}
	}
	return nil
}

// label returns the label of an IPv4 address (ip-address(8)), which begins with the name of the
// interface, after a rename.
func label(old, hostName, name string) string {
	rest, ok := strings.CutPrefix(old, hostName)
	if !ok || len(name)+len(rest) > maxName {
		return ""
	}
	return name + rest
}

// send moves a link to another namespace and renames it there, in one request. With two
// requests, neither name could be in use on either side.
func (n *namespace) send(index int, to *namespace, name string) error {
	err := n.set(index, 0,
		nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(to.file.Fd()))),
		nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	if errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("move to the other network namespace as %q: %w (its kind may be bound to a namespace)", name, err)
	}
	if err != nil {
		return fmt.Errorf("move to the other network namespace as %q: %w", name, err)
	}
	return nil
}

func (n *namespace) setUp(index int) error {
	if err := n.set(index, unix.IFF_UP); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	return nil
}

// set sends an RTM_SETLINK request (rtnetlink(7)) that sets flags and attributes.
func (n *namespace) set(index int, flags uint32, attrs ...*nl.RtAttr) error {
	req := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
	req.Sockets = n.sockets
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index, msg.Flags, msg.Change = int32(index), flags, flags
	req.AddData(msg)
	for _, a := range attrs {
		req.AddData(a)
	}
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}
