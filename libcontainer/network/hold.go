// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Hold blocks packets between a container and the bridges while connections are saved or
// restored. Otherwise the kernel, which does not know the connection, would answer a packet,
// and this would end the connection. The peer only sees a slow network.
func Hold(list []configs.Veth) error { return setEnds(list, 0) }

// Release ends Hold, and the hold of Connect.
func Release(list []configs.Veth) error { return setEnds(list, unix.IFF_UP) }

// setEnds sets the host's ends up or down. A missing interface is not an error: the container
// then has no network anyway.
func setEnds(list []configs.Veth, up uint32) error {
	host, err := openConn()
	if err != nil {
		return err
	}
	var all []*request
	for i := range list {
		var l linkInfo
		err := host.do(getLink(unix.IFLA_IFNAME, list[i].HostName, &l, extSkipStats))
		if errors.Is(err, unix.ENODEV) || err == nil && l.mac != list[i].HostMAC {
			continue
		}
		if err != nil {
			return errors.Join(fmt.Errorf("look for interface %s: %w", list[i].HostName, err), host.close())
		}
		msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
		msg.Index, msg.Flags, msg.Change = l.index, up, unix.IFF_UP
		r := newRequest(unix.RTM_SETLINK, 0, msg)
		r.explain = func(err error) error { return fmt.Errorf("set %s up or down: %w", list[i].HostName, err) }
		all = append(all, r)
	}
	return errors.Join(host.do(all...), host.close())
}
