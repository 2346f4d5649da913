// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"strconv"
	"strings"
)

// mostBits is more than any kernel supports (CONFIG_NR_CPUS, MAX_NUMNODES).
const mostBits = 1 << 16

// bitMask converts a list like "0-2,7" to bytes, with bit n%8 of byte n/8 for n. ok is false
// for an empty list and for an unknown form.
func bitMask(text string) (mask []byte, ok bool) {
	for item := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(item), "-")
		if !isRange {
			to = from
		}
		first, err := strconv.ParseUint(from, 10, 32)
		if err != nil {
			return nil, false
		}
		last, err := strconv.ParseUint(to, 10, 32)
		if err != nil || last < first || last >= mostBits {
			return nil, false
		}
		for len(mask) <= int(last/8) {
			mask = append(mask, 0)
		}
		for n := first; n <= last; n++ {
			mask[n/8] |= 1 << (n % 8)
		}
	}
	return mask, len(mask) > 0
}
