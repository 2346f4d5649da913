// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Connect creates the veth pairs of a container with the network namespace netns, which it does
// not close, on bridges in the calling thread's namespace. Every HostName and HostMAC is filled
// in. owner is named in errors of other containers that want the same address. With held, no
// packet passes before Release. On error no interface is left, except for bridges: made lists
// the created ones, for RemoveBridges if the container cannot be created.
//
// The order has three reasons. It is only certain what a name refers to when the kernel has
// acknowledged that we created it, so later requests use the index of the interface. The
// addresses are claimed before any packet can carry them. And the container's end is set up
// last, just before its addresses are added, so that it has a carrier by then.
func Connect(netns *os.File, list []configs.Veth, owner string, held bool) (made []string, err error) {
	inside, err := enterConn(netns, list)
	if err != nil {
		return nil, fmt.Errorf("netlink socket in the container: %w", err)
	}
	defer inside.close()
	host, err := openConn()
	if err != nil {
		return nil, err
	}
	defer host.close()
	ports := make([]*port, len(list))
	for i := range list {
		ports[i] = &port{Veth: &list[i], held: held}
	}
	err = connect(host, inside, netns, ports, owner)
	if err != nil {
		if rerr := remove(host, list); rerr != nil {
			err = fmt.Errorf("%w (then, remove interfaces: %w)", err, rerr)
		}
	}
	for _, p := range ports {
		if p.madeBridge {
			made = append(made, p.Bridge)
		}
	}
	return made, err
}

// port is a Veth that is being created, with what is known about its bridge and its two ends.
type port struct {
	*configs.Veth
	bridge, outer, inner linkInfo
	// made means that we have created outer, madeBridge that we have created the bridge.
	made, madeBridge bool
	// held means that outer stays down.
	held bool
}

func connect(host, inside *conn, netns *os.File, ports []*port, owner string) error {
	if err := findBridges(host, ports); err != nil {
		return err
	}
	err := host.doAfter(func(host *conn) (all []*request) {
		for _, p := range ports {
			all = append(all, p.create(host, netns)...)
		}
		return all
	})
	if err != nil {
		return err
	}
	err = host.doAfter(func(host *conn) (all []*request) {
		for _, p := range ports {
			all = append(all, p.claim(host, owner)...)
		}
		return all
	})
	if err != nil {
		return err
	}
	var ends, addresses []*request
	for _, p := range ports {
		ends = append(ends, getLink(unix.IFLA_IFNAME, p.Name, &p.inner, extSkipStats))
	}
	if err := inside.do(ends...); err != nil {
		return err
	}
	for _, p := range ports {
		addresses = append(addresses, p.configure()...)
	}
	return inside.do(addresses...)
}

// dyingError means that a name belongs to an interface that is about to be removed, because its
// container has just been deleted.
type dyingError struct {
	// index is 0 if the interface may be gone already. otherwise is the error if it is not.
	index     int32
	otherwise error
}

func (dyingError) Error() string { return "the interface is being removed" }

// doAfter executes a batch. If a dying interface is in the way, it first removes that.
func (c *conn) doAfter(batch func(*conn) []*request) error {
	for gone := 0; ; {
		err := c.do(batch(c)...)
		var dying dyingError
		if !errors.As(err, &dying) {
			return err
		}
		if dying.index == 0 {
			if gone++; gone > 3 {
				return dying.otherwise
			}
			continue
		}
		// This waits for the kernel to finish, whoever began the removal.
		if err := c.do(deleteLink(dying.index)); err != nil && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("remove an interface that is left: %w", err)
		}
	}
}

// isDying reports whether the other end of a veth is in a namespace that nothing refers to any
// more, so that the kernel is about to remove both ends. At most, the veth still has the id of
// such a namespace, but no request finds it by that id.
func isDying(host *conn, l *linkInfo) bool {
	if l.kind != "veth" {
		return false
	}
	if l.peer < 0 {
		return true
	}
	err := host.do(newRequest(unix.RTM_GETLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC),
		numberAttr(unix.IFLA_TARGET_NETNSID, uint32(l.peer)), stringAttr(unix.IFLA_IFNAME, "lo"),
		numberAttr(unix.IFLA_EXT_MASK, extSkipStats)))
	return errors.Is(err, unix.EINVAL)
}

func deleteLink(index int32) *request {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = index
	return newRequest(unix.RTM_DELLINK, 0, msg)
}

// create returns the request that creates the pair, each end in its namespace and with all
// attributes that can be set at creation.
func (p *port) create(host *conn, netns *os.File) []*request {
	if p.made {
		return nil // an earlier batch created it and then failed
	}
	mtu := p.MTU
	if mtu == 0 {
		mtu = p.bridge.mtu
	}
	// An empty struct ifinfomsg comes before the attributes of the peer.
	peer := nl.NewRtAttr(nl.VETH_INFO_PEER|unix.NLA_F_NESTED, make([]byte, unix.SizeofIfInfomsg))
	for _, a := range []*nl.RtAttr{
		stringAttr(unix.IFLA_IFNAME, p.Name),
		nl.NewRtAttr(unix.IFLA_ADDRESS, p.MAC[:]),
		numberAttr(unix.IFLA_MTU, mtu),
		numberAttr(unix.IFLA_NET_NS_FD, uint32(netns.Fd())),
	} {
		peer.AddChild(a)
	}
	if p.TxQueueLen != nil {
		peer.AddChild(numberAttr(unix.IFLA_TXQLEN, *p.TxQueueLen))
	}
	r := newRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, nl.NewIfInfomsg(unix.AF_UNSPEC),
		stringAttr(unix.IFLA_IFNAME, p.HostName),
		nl.NewRtAttr(unix.IFLA_ADDRESS, p.HostMAC[:]),
		numberAttr(unix.IFLA_MTU, mtu),
		numberAttr(unix.IFLA_MASTER, uint32(p.bridge.index)),
		nested(unix.IFLA_LINKINFO,
			stringAttr(unix.IFLA_INFO_KIND, "veth"),
			nested(unix.IFLA_INFO_DATA, peer)))
	r.explain = func(err error) error { return p.explainCreate(host, err) }
	r.done = func() { p.made = true }
	return []*request{r, getLink(unix.IFLA_IFNAME, p.HostName, &p.outer, extSkipStats)}
}

// explainCreate finds out which of the two names was taken.
func (p *port) explainCreate(host *conn, err error) error {
	switch {
	case errors.Is(err, unix.EEXIST):
		var l linkInfo
		if host.do(getLink(unix.IFLA_IFNAME, p.HostName, &l, extSkipStats)) == nil {
			if isDying(host, &l) {
				return dyingError{index: l.index}
			}
			return fmt.Errorf("%s.hostName: the host has an interface %q already%s: %w", p.Field, p.HostName, ofOwner(&l), unix.EEXIST)
		}
		return dyingError{otherwise: fmt.Errorf("%s.name: the container has an interface %q already: %w", p.Field, p.Name, unix.EEXIST)}
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s: create a veth pair: %w (the capability CAP_NET_ADMIN in the host's network namespace is needed)", p.Field, err)
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%s: create a veth pair: %w (the kernel has no module veth)", p.Field, err)
	}
	return fmt.Errorf("%s: create a veth pair on bridge %s: %w", p.Field, p.Bridge, err)
}

// ofOwner returns a text with the container that an interface of ours belongs to.
func ofOwner(l *linkInfo) string {
	id, ours := strings.CutPrefix(l.alias, aliasPrefix)
	if !ours {
		return ""
	}
	return fmt.Sprintf(", of container %q", id)
}

// aliasPrefix is the prefix of the alias (ip-link(8)) of the host's ends; the container's id
// follows. IFALIASZ is 256 with the NUL, so very long ids are truncated.
const (
	aliasPrefix = "berth:"
	maxAlias    = 255
)

// claim claims the addresses on the bridge, and sets the host's end up, unless it is held.
//
// A claim is an alternative name (ip-link(8), altname) of the host's end, made from bridge and
// address. Names are unique in a network namespace and disappear with their interface. So the
// kernel lets only one container have an address, however many are created at once and with
// whatever --root, and the claim ends with the container's namespace, even if nobody is left to
// clean up. A registry in files would need a lock, and a check which entries are still valid.
// Probing with ARP (RFC 5227) takes seconds, and does not see containers that are just being
// created. Addresses that others assign without berth are not detected.
func (p *port) claim(host *conn, owner string) []*request {
	var all []*request
	for i, a := range p.Addresses {
		msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
		msg.Index = p.outer.index
		name := claimName(p.Bridge, a.Addr())
		r := newRequest(unix.RTM_NEWLINKPROP, unix.NLM_F_CREATE|unix.NLM_F_EXCL, msg,
			nested(unix.IFLA_PROP_LIST, stringAttr(unix.IFLA_ALT_IFNAME, name)))
		r.explain = func(err error) error { return p.explainClaim(host, i, name, err) }
		all = append(all, r)
	}
	alias := aliasPrefix + owner
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = p.outer.index
	if !p.held {
		msg.Flags, msg.Change = unix.IFF_UP, unix.IFF_UP
	}
	attrs := []nl.NetlinkRequestData{msg, nl.NewRtAttr(unix.IFLA_IFALIAS, []byte(alias[:min(len(alias), maxAlias)]))}
	if haveIPv6() {
		// A port of a bridge needs no address itself.
		attrs = append(attrs, noLinkLocal())
	}
	up := newRequest(unix.RTM_SETLINK, 0, attrs...)
	up.explain = func(err error) error { return fmt.Errorf("%s: set %s up: %w", p.Field, p.HostName, err) }
	all = append(all, up)
	if p.Hairpin {
		all = append(all, p.hairpin())
	}
	return all
}

func (p *port) hairpin() *request {
	msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
	msg.Index = p.outer.index
	r := newRequest(unix.RTM_SETLINK, 0, msg,
		nested(unix.IFLA_PROTINFO, nl.NewRtAttr(nl.IFLA_BRPORT_MODE, []byte{1})))
	r.explain = func(err error) error { return fmt.Errorf("%s.hairpin: %w", p.Field, err) }
	return r
}

// claimName returns the alternative name for an address on a bridge: "berth-br0-10.88.0.2". No
// colons, which interface names must not have.
func claimName(bridge string, a netip.Addr) string {
	return "berth-" + bridge + "-" + strings.ReplaceAll(a.String(), ":", "_")
}

func (p *port) explainClaim(host *conn, i int, name string, err error) error {
	field := fmt.Sprintf("%s.addresses[%d]", p.Field, i)
	if !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s: claim it as the name %s: %w", field, name, err)
	}
	who := "another interface"
	var l linkInfo
	switch err := host.do(getLink(unix.IFLA_ALT_IFNAME, name, &l, extSkipStats)); {
	case err == nil && l.index == p.outer.index:
		return nil // an earlier batch has claimed it
	case err == nil && isDying(host, &l):
		return dyingError{index: l.index}
	case err == nil:
		who = l.name + ofOwner(&l)
	}
	inUse := fmt.Errorf("%s: %s is in use on bridge %s by %s: %w", field, p.Addresses[i].Addr(), p.Bridge, who, unix.EADDRINUSE)
	if l.index == 0 {
		return dyingError{otherwise: inUse} // the name is free again
	}
	return inUse
}

// Disconnect removes the host's ends of interfaces that Connect has created, and with them the
// container's ends. A missing interface is not an error. An interface of the same name that
// does not belong to the container is left alone.
//
// If the container's namespace is ending, the removal is left to the kernel. It takes some 20
// ms, because of grace periods, and normally nobody has to wait for it. Only a create that
// wants their names or addresses in the meantime waits, see doAfter.
func Disconnect(list []configs.Veth) error {
	host, err := openConn()
	if err != nil {
		return err
	}
	return errors.Join(remove(host, list), host.close())
}

// remove recognises our interfaces by the MAC address that they were created with.
func remove(host *conn, list []configs.Veth) error {
	found := make([]linkInfo, len(list))
	var all []*request
	for i := range list {
		if err := host.do(getLink(unix.IFLA_IFNAME, list[i].HostName, &found[i], extSkipStats)); err != nil {
			if errors.Is(err, unix.ENODEV) {
				continue
			}
			return fmt.Errorf("look for interface %s: %w", list[i].HostName, err)
		}
		if found[i].kind != "veth" || found[i].mac != list[i].HostMAC || isDying(host, &found[i]) {
			continue
		}
		r := deleteLink(found[i].index)
		all = append(all, r)
		r.explain = func(err error) error {
			if errors.Is(err, unix.ENODEV) {
				return nil // its namespace has just ended
			}
			return fmt.Errorf("remove interface %s: %w", list[i].HostName, err)
		}
	}
	return host.do(all...)
}
