// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Counters are those of an interface since it was made.
type Counters struct {
	RxPackets, TxPackets, RxBytes, TxBytes, RxErrors, TxErrors, RxDropped, TxDropped uint64
}

// parseCounters reads the begin of struct rtnl_link_stats64; nil when it is cut off.
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

// CountersOf reads the counters of interfaces of the calling thread's network namespace,
// nil for one that does not exist.
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
