// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// enterConn opens a socket in a container's new network namespace, and prepares the namespace
// for interfaces with the given addresses.
func enterConn(netns *os.File, list []configs.Veth) (*conn, error) {
	type result struct {
		c   *conn
		err error
	}
	done := make(chan result, 1)
	osthread.Go(func() {
		if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{nil, os.NewSyscallError("setns", err)}
			return
		}
		if err := prepareIPv6(list); err != nil {
			done <- result{nil, err}
			return
		}
		c, err := openConn()
		done <- result{c, err}
	})
	r := <-done
	return r.c, r.err
}

const ipv6Defaults = "/proc/sys/net/ipv6/conf/default/"

// haveIPv6 reports whether the kernel has IPv6 at all.
func haveIPv6() bool { return unix.Access(ipv6Defaults, unix.F_OK) == nil }

// prepareIPv6 sets the defaults for new interfaces of the namespace. /proc/sys/net shows the
// namespace of the thread that opens it. The mount is the host's, which no container can
// change. linux.sysctl is applied later and overrides this.
//
//   - Router advertisements are turned off: with one, any container on the bridge could make
//     itself the router of the others.
//   - IPv6 is turned on if there is an IPv6 address, whatever the default for new namespaces
//     is.
func prepareIPv6(list []configs.Veth) error {
	if !haveIPv6() {
		return nil
	}
	settings := [...]struct{ file, value string }{{"accept_ra", "0"}, {"disable_ipv6", "0"}}
	n := len(settings)
	if !wantsIPv6(list) {
		n-- // the setting is then the namespace's default
	}
	for _, s := range settings[:n] {
		if err := writeSetting(ipv6Defaults+s.file, s.value); err != nil {
			return err
		}
	}
	return nil
}

func wantsIPv6(list []configs.Veth) bool {
	for i := range list {
		for _, a := range list[i].Addresses {
			if a.Addr().Is6() {
				return true
			}
		}
	}
	return false
}

// writeSetting makes plain system calls, because the thread must not use Go's poller.
func writeSetting(path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	if _, err = unix.Write(fd, []byte(value)); err != nil {
		err = &os.PathError{Op: "write", Path: path, Err: err}
	}
	return errors.Join(err, unix.Close(fd))
}

// configure sets the container's end up and adds its addresses and routes.
func (p *port) configure() []*request {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index, msg.Flags, msg.Change = p.inner.index, unix.IFF_UP, unix.IFF_UP
	up := newRequest(unix.RTM_SETLINK, 0, msg)
	up.explain = func(err error) error { return fmt.Errorf("%s: set %s up: %w", p.Field, p.Name, err) }
	all := []*request{up}
	if haveIPv6() {
		all = p.linkLocal(up)
	}
	for i, a := range p.Addresses {
		r := newAddress(p.inner.index, a)
		r.explain = func(err error) error {
			if a.Addr().Is6() && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EOPNOTSUPP)) {
				err = fmt.Errorf("%w (the kernel has no IPv6)", err)
			}
			return fmt.Errorf("%s.addresses[%d]: add %s: %w", p.Field, i, a, err)
		}
		all = append(all, r)
	}
	// Routes to gateways come before the routes that use them.
	for i, route := range p.Routes {
		r := newRoute(p.inner.index, &route)
		r.explain = func(err error) error {
			return fmt.Errorf("%s.routes[%d]: add a route to %s: %w", p.Field, i, route.Destination, err)
		}
		all = append(all, r)
	}
	for i, g := range p.Gateways {
		r := newRoute(p.inner.index, &configs.Route{Gateway: g})
		r.explain = func(err error) error {
			return fmt.Errorf("%s.gateways[%d]: add the default route by %s: %w", p.Field, i, g, err)
		}
		all = append(all, r)
	}
	return all
}

// addrGenNone is IN6_ADDR_GEN_MODE_NONE of linux/if_link.h.
const addrGenNone = 1

// noLinkLocal keeps the kernel from giving an interface a link-local address.
func noLinkLocal() *nl.RtAttr {
	return nested(unix.IFLA_AF_SPEC, nested(unix.AF_INET6, nl.NewRtAttr(unix.IFLA_INET6_ADDR_GEN_MODE, []byte{addrGenNone})))
}

// linkLocal gives the interface the link-local address that the kernel would have given it (RFC
// 4291, appendix A), but without duplicate address detection, like all its other addresses. The
// detection takes a second or more, during which the address cannot be used, so the program
// would begin without a network. The addresses on the bridge are known to be unique, except for
// those that were not assigned by berth.
func (p *port) linkLocal(up *request) []*request {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = p.inner.index
	own := newRequest(unix.RTM_SETLINK, 0, msg, noLinkLocal())
	own.explain = func(err error) error {
		return fmt.Errorf("%s: set how %s gets its link-local address: %w", p.Field, p.Name, err)
	}
	m := p.MAC
	a := netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
	add := newAddress(p.inner.index, netip.PrefixFrom(a, 64))
	add.explain = func(err error) error {
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EEXIST) {
			return nil // IPv6 is off in new namespaces, or the address is one of the given ones
		}
		return fmt.Errorf("%s: add the link-local address %s: %w", p.Field, a, err)
	}
	return []*request{own, up, add}
}

func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// newAddress returns a request to add an address to an interface.
func newAddress(index int32, p netip.Prefix) *request {
	a := p.Addr()
	msg := nl.NewIfAddrmsg(family(a))
	msg.Index, msg.Prefixlen = uint32(index), uint8(p.Bits())
	data := []nl.NetlinkRequestData{
		msg, nl.NewRtAttr(unix.IFA_LOCAL, a.AsSlice()), nl.NewRtAttr(unix.IFA_ADDRESS, a.AsSlice()),
	}
	if a.Is4() && p.Bits() < 31 {
		b := a.As4()
		for bit := p.Bits(); bit < 32; bit++ {
			b[bit/8] |= 0x80 >> (bit % 8)
		}
		data = append(data, nl.NewRtAttr(unix.IFA_BROADCAST, b[:]))
	}
	if a.Is6() {
		msg.Flags = unix.IFA_F_NODAD // see linkLocal
	}
	return newRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, data...)
}

// newRoute returns a request to add a route over an interface. Without a destination it is the
// default route.
func newRoute(index int32, route *configs.Route) *request {
	msg := nl.NewRtMsg()
	msg.Protocol = unix.RTPROT_STATIC
	data := []nl.NetlinkRequestData{msg, numberAttr(unix.RTA_OIF, uint32(index))}
	if g := route.Gateway; g.IsValid() {
		msg.Family = uint8(family(g))
		data = append(data, nl.NewRtAttr(unix.RTA_GATEWAY, g.AsSlice()))
	} else {
		msg.Scope = unix.RT_SCOPE_LINK
	}
	if d := route.Destination; d.IsValid() {
		msg.Family, msg.Dst_len = uint8(family(d.Addr())), uint8(d.Bits())
		data = append(data, nl.NewRtAttr(unix.RTA_DST, d.Addr().AsSlice()))
	}
	if route.Metric != 0 {
		data = append(data, numberAttr(unix.RTA_PRIORITY, route.Metric))
	}
	return newRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, data...)
}
