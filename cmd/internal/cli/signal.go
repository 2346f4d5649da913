// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The real-time signals that programs may use. The kernel's begin at 32; the C
// library keeps the first two, so that RTMIN means 34 to `kill -l`.
const (
	sigRTMin = 34
	sigRTMax = 64
)

// parseSignal reads a signal as kill(1) takes it: a number, or a name with or
// without SIG in any case. Number 0 is no signal but a test for existence.
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

// signalNames are the names of signal(7) without SIG, in the order of the numbers.
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

// parseRealTimeSignal reads RTMIN, RTMIN+n, RTMAX and RTMAX-n; 0 is none.
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

// parseOffset reads the "+n" of RTMIN+n. What is no offset becomes one that
// leads out of the range of signals.
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
