// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"os"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// LeadsOutside reports whether an interface in the namespace of netns has its peer or its lower
// device in another network namespace, for example a veth whose peer is on a bridge of the
// host, or a macvlan.
func LeadsOutside(netns *os.File) (outside bool, err error) {
	err = within(netns, func() error {
		c, err := openConn()
		if err != nil {
			return err
		}
		list := newRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC),
			numberAttr(unix.IFLA_EXT_MASK, extSkipStats))
		list.answer = func(body []byte) error {
			l := linkInfo{peer: -1}
			err := l.parse(body)
			outside = outside || l.peer >= 0
			return err
		}
		return errors.Join(c.do(list), c.close())
	})
	return outside, err
}
