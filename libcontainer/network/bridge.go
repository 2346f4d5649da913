// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// findBridges looks up the bridges, and creates missing ones if the config allows it.
//
// A bridge that berth has created stays when its containers are deleted: by then firewall
// rules, name servers and other ports refer to it. Any number of creates may do the steps of
// creating it at the same time. The last step sets it up, so whoever finds a bridge that is
// down finishes it.
func findBridges(host *conn, ports []*port) error {
	for _, p := range ports {
		if err := p.findBridge(host); err != nil {
			return err
		}
	}
	return nil
}

func (p *port) findBridge(host *conn) error {
	field := p.Field + ".bridge"
	get := getLink(unix.IFLA_IFNAME, p.Bridge, &p.bridge, extSkipStats)
	err := host.do(get)
	if errors.Is(err, unix.ENODEV) && p.CreateBridge {
		mac, rerr := randomMAC()
		if rerr != nil {
			return rerr
		}
		add := newRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, nl.NewIfInfomsg(unix.AF_UNSPEC),
			stringAttr(unix.IFLA_IFNAME, p.Bridge),
			// A given address stays. Otherwise it is the lowest of its ports' addresses, and
			// changes as containers come and go.
			nl.NewRtAttr(unix.IFLA_ADDRESS, mac[:]),
			nested(unix.IFLA_LINKINFO, stringAttr(unix.IFLA_INFO_KIND, "bridge")))
		err = host.do(add)
		p.madeBridge = err == nil
		if errors.Is(err, unix.EEXIST) {
			err = nil // another create has been faster
		}
		if err != nil {
			return fmt.Errorf("%s: create bridge %s: %w", field, p.Bridge, err)
		}
		err = host.do(get)
	}
	switch {
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf(`%s: no such network interface: %q ("create" would make it)`, field, p.Bridge)
	case err != nil:
		return fmt.Errorf("%s: look for %s: %w", field, p.Bridge, err)
	case p.bridge.kind != "bridge":
		return fmt.Errorf("%s: %q is not a bridge", field, p.Bridge)
	case p.bridge.up:
		return nil
	case !p.CreateBridge:
		return fmt.Errorf("%s: %q is down: %w", field, p.Bridge, unix.ENETDOWN)
	}
	return p.finishBridge(host)
}

// finishBridge adds the bridge's addresses and sets it up.
func (p *port) finishBridge(host *conn) error {
	var all []*request
	for _, a := range p.BridgeAddresses {
		r := newAddress(p.bridge.index, a)
		r.explain = func(err error) error {
			if errors.Is(err, unix.EEXIST) {
				return nil
			}
			return fmt.Errorf("%s.bridge: add address %s to %s: %w", p.Field, a, p.Bridge, err)
		}
		all = append(all, r)
	}
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index, msg.Flags, msg.Change = p.bridge.index, unix.IFF_UP, unix.IFF_UP
	up := newRequest(unix.RTM_SETLINK, 0, msg)
	up.explain = func(err error) error { return fmt.Errorf("%s.bridge: set %s up: %w", p.Field, p.Bridge, err) }
	return host.do(append(all, up)...)
}

// RemoveBridges removes bridges that Connect has created, after a failure, except for those
// that have ports. The caller makes sure that nobody is just about to add one.
func RemoveBridges(names []string) error {
	host, err := openConn()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err = host.removeBridge(name); err != nil {
			err = fmt.Errorf("remove bridge %s: %w", name, err)
			break
		}
	}
	return errors.Join(err, host.close())
}

func (c *conn) removeBridge(name string) error {
	var bridge linkInfo
	err := c.do(getLink(unix.IFLA_IFNAME, name, &bridge, extSkipStats))
	if errors.Is(err, unix.ENODEV) || err == nil && bridge.kind != "bridge" {
		return nil
	}
	if err != nil {
		return err
	}
	ports := 0
	list := newRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC),
		numberAttr(unix.IFLA_MASTER, uint32(bridge.index)), numberAttr(unix.IFLA_EXT_MASK, extSkipStats))
	list.answer = func(body []byte) error {
		var l linkInfo
		err := l.parse(body)
		if l.master == uint32(bridge.index) {
			ports++
		}
		return err
	}
	if err := c.do(list); err != nil || ports > 0 {
		return err
	}
	return c.do(deleteLink(bridge.index))
}

// randomMAC returns a random address: unicast and locally administered.
func randomMAC() (mac [6]byte, err error) {
	if _, err := unix.Getrandom(mac[:], 0); err != nil {
		return mac, fmt.Errorf("getrandom: %w", err)
	}
	mac[0] = mac[0]&^1 | 2
	return mac, nil
}
