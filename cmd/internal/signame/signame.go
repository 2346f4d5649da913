// SPDX-License-Identifier: Apache-2.0

// Package signame knows the names of signals, as kill(1) and signal(7) write them.
package signame

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/nearest"
	"golang.org/x/sys/unix"
)

// Max is the highest signal, RTMAX of signal(7).
const Max = 64

// rtMin is the first of the real-time signals that programs may use. In the kernel they begin at 32,
// but the C library reserves the first two, so that RTMIN is 34 in `kill -l`.
const rtMin = 34

// Parse parses a signal as kill(1) does: a number, or a name with or without SIG, in upper or lower
// case. Number 0 is not a signal but tests whether the process exists.
func Parse(text string) (unix.Signal, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 0 || n > Max {
			return 0, fmt.Errorf("unknown signal %q", text)
		}
		return unix.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if s := unix.SignalNum("SIG" + alias(name)); s != 0 {
		return s, nil
	}
	if s := parseRealTime(name); s != 0 {
		return s, nil
	}
	return 0, fmt.Errorf("unknown signal %q%s", text, nearest.Hint(name, Names()))
}

// Names returns the names of signal(7) without SIG, ordered by number.
func Names() []string {
	names := make([]string, 0, rtMin)
	for sig := unix.Signal(1); sig < rtMin; sig++ {
		if name := unix.SignalName(sig); name != "" {
			names = append(names, strings.TrimPrefix(name, "SIG"))
		}
	}
	return append(names, "RTMIN", "RTMAX")
}

// alias maps the second names of signal(7) to the first.
func alias(name string) string {
	switch name {
	case "CLD":
		return "CHLD"
	case "IOT":
		return "ABRT"
	case "POLL":
		return "IO"
	}
	return name
}

// parseRealTime parses RTMIN, RTMIN+n, RTMAX and RTMAX-n. It returns 0 for anything else.
func parseRealTime(name string) unix.Signal {
	var s int
	if rest, ok := strings.CutPrefix(name, "RTMIN"); ok {
		s = rtMin + parseOffset(rest, "+")
	} else if rest, ok := strings.CutPrefix(name, "RTMAX"); ok {
		s = Max - parseOffset(rest, "-")
	}
	if s < rtMin || s > Max {
		return 0
	}
	return unix.Signal(s)
}

// parseOffset parses the "+n" of RTMIN+n. If it is not an offset, the result leads out of the
// range of signals.
func parseOffset(text, sign string) int {
	if text == "" {
		return 0
	}
	digits, ok := strings.CutPrefix(text, sign)
	n, err := strconv.ParseUint(digits, 10, 8)
	if !ok || err != nil {
		return Max
	}
	return int(n)
}
