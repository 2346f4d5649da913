// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseSize parses a size in bytes, with an optional unit (a power of 1024): "512m", "1.5g",
// "64KiB". -1 means no limit.
func ParseSize(text string) (int64, error) {
	if text == "-1" {
		return -1, nil
	}
	bad := fmt.Errorf("invalid size: '%s'", text)
	digits := strings.TrimRight(text, "bBiIkKmMgGtTpP ")
	unit := strings.ToLower(strings.TrimSpace(text[len(digits):]))
	if u, ok := strings.CutSuffix(unit, "ib"); ok && u != "" {
		unit = u
	}
	unit = strings.TrimSuffix(unit, "b")
	power := 0
	if unit != "" {
		power = 1 + strings.Index("kmgtp", unit)
	}
	if len(unit) > 1 || power == 0 && unit != "" || digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return 0, bad
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		if n > math.MaxInt64>>(10*power) {
			return 0, bad
		}
		return n << (10 * power), nil
	}
	f, err := strconv.ParseFloat(digits, 64)
	if f *= float64(int64(1) << (10 * power)); err != nil || f >= math.MaxInt64 {
		return 0, bad
	}
	return int64(f), nil
}
