// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Counters are the counters of an interface since it was created.
type Counters struct {
	RxPackets, TxPackets, RxBytes, TxBytes, RxErrors, TxErrors, RxDropped, TxDropped uint64
}

// parseCounters parses the beginning of struct rtnl_link_stats64. It returns nil if it is
// truncated.
func parseCounters(b []byte) *Counters {
	c := &Counters{}
	for i, to := range [...]*uint64{
		&c.RxPackets, &c.TxPackets, &c.RxBytes, &c.TxBytes, &c.RxErrors, &c.TxErrors, &c.RxDropped, &c.TxDropped,
	} {
		if len(b) < 8*(i+1) {
			return nil
		}
		*to = binary.NativeEndian.Uint64(b[8*i:])
	}
	return c
}

// CountersOf reads the counters of interfaces in the calling thread's network namespace. The
// result is nil for an interface that does not exist.
func CountersOf(names []string) ([]*Counters, error) {
	c, err := openConn()
	if err != nil {
		return nil, err
	}
	defer c.close()
	all := make([]*Counters, len(names))
	for i, name := range names {
		var l linkInfo
		if err := c.do(getLink(unix.IFLA_IFNAME, name, &l, 0)); err == nil {
			all[i] = l.stats
		}
	}
	return all, nil
}
