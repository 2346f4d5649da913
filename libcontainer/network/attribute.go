// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// attribute is an attribute of a message (netlink(7)).
type attribute struct {
	kind  uint16
	value []byte
}

// attributes iterates over a list of attributes, up to its end or the first truncated one.
func attributes(b []byte) iter.Seq[attribute] {
	return func(yield func(attribute) bool) {
		for len(b) >= unix.SizeofRtAttr {
			n := int(binary.NativeEndian.Uint16(b))
			if n < unix.SizeofRtAttr || n > len(b) {
				return
			}
			kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if !yield(attribute{kind, b[unix.SizeofRtAttr:n]}) {
				return
			}
			b = b[min(align(n), len(b)):]
		}
	}
}

func cString(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

func stringAttr(kind int, s string) *nl.RtAttr { return nl.NewRtAttr(kind, nl.ZeroTerminated(s)) }

func numberAttr(kind int, n uint32) *nl.RtAttr { return nl.NewRtAttr(kind, nl.Uint32Attr(n)) }

// nested returns an attribute that contains others.
func nested(kind int, inner ...*nl.RtAttr) *nl.RtAttr {
	a := nl.NewRtAttr(kind|unix.NLA_F_NESTED, nil)
	for _, i := range inner {
		a.AddChild(i)
	}
	return a
}

// linkInfo is what berth reads about an interface.
type linkInfo struct {
	index int32
	up    bool
	name  string
	alias string
	kind  string
	mac   [6]byte
	mtu   uint32
	// master is the index of the bridge that the interface is a port of, 0 for none.
	master uint32
	// peer is the id of the network namespace of a veth's other end, -1 for none.
	peer  int32
	stats *Counters
}

// parse parses the body of an RTM_NEWLINK (rtnetlink(7)).
func (l *linkInfo) parse(body []byte) error {
	if len(body) < unix.SizeofIfInfomsg {
		return errors.New("netlink: an interface is cut off")
	}
	l.index = int32(binary.NativeEndian.Uint32(body[4:]))
	l.up = binary.NativeEndian.Uint32(body[8:])&unix.IFF_UP != 0
	for a := range attributes(body[unix.SizeofIfInfomsg:]) {
		switch a.kind {
		case unix.IFLA_IFNAME:
			l.name = cString(a.value)
		case unix.IFLA_IFALIAS:
			l.alias = cString(a.value)
		case unix.IFLA_ADDRESS:
			copy(l.mac[:], a.value)
		case unix.IFLA_MTU:
			if len(a.value) >= 4 {
				l.mtu = binary.NativeEndian.Uint32(a.value)
			}
		case unix.IFLA_MASTER:
			if len(a.value) >= 4 {
				l.master = binary.NativeEndian.Uint32(a.value)
			}
		case unix.IFLA_LINK_NETNSID:
			if len(a.value) >= 4 {
				l.peer = int32(binary.NativeEndian.Uint32(a.value))
			}
		case unix.IFLA_STATS64:
			l.stats = parseCounters(a.value)
		case unix.IFLA_LINKINFO:
			for i := range attributes(a.value) {
				if i.kind == unix.IFLA_INFO_KIND {
					l.kind = cString(i.value)
				}
			}
		}
	}
	return nil
}

// extSkipStats is RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h: the counters would be half of
// the answer.
const extSkipStats = 1 << 3

// getLink returns a request for an interface by its name, or by an alternative name.
func getLink(kind int, name string, l *linkInfo, filter uint32) *request {
	r := newRequest(unix.RTM_GETLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC),
		stringAttr(kind, name), numberAttr(unix.IFLA_EXT_MASK, filter))
	r.answer = l.parse
	return r
}
