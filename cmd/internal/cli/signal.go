// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The real-time signals that programs may use. In the kernel they begin at 32, but the C
// library reserves the first two, so that RTMIN is 34 in `kill -l`.
const (
	sigRTMin = 34
	sigRTMax = 64
)

// parseSignal parses a signal as kill(1) does: a number, or a name with or without SIG, in
// upper or lower case. Number 0 is not a signal but tests whether the process exists.
func parseSignal(text string) (unix.Signal, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 0 || n > sigRTMax {
			return 0, fmt.Errorf("unknown signal %q", text)
		}
		return unix.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if s := unix.SignalNum("SIG" + signalAlias(name)); s != 0 {
		return s, nil
	}
	if s := parseRealTimeSignal(name); s != 0 {
		return s, nil
	}
	return 0, fmt.Errorf("unknown signal %q", text)
}

// signalNames returns the names of signal(7) without SIG, ordered by number.
func signalNames() []string {
	names := make([]string, 0, sigRTMin)
	for sig := unix.Signal(1); sig < sigRTMin; sig++ {
		if name := unix.SignalName(sig); name != "" {
			names = append(names, strings.TrimPrefix(name, "SIG"))
		}
	}
	return append(names, "RTMIN", "RTMAX")
}

// signalAlias maps the second names of signal(7) to the first.
func signalAlias(name string) string {
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

// parseRealTimeSignal parses RTMIN, RTMIN+n, RTMAX and RTMAX-n. It returns 0 for anything else.
func parseRealTimeSignal(name string) unix.Signal {
	var s int
	if rest, ok := strings.CutPrefix(name, "RTMIN"); ok {
		s = sigRTMin + parseOffset(rest, "+")
	} else if rest, ok := strings.CutPrefix(name, "RTMAX"); ok {
		s = sigRTMax - parseOffset(rest, "-")
	}
	if s < sigRTMin || s > sigRTMax {
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
		return sigRTMax
	}
	return int(n)
}
