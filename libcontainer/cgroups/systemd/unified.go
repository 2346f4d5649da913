// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// unified adds the properties for linux.resources.unified: raw files, some of which systemd
// knows. It does not touch the others. Values that systemd cannot express are not passed to it.
// The kernel gets and checks all of them.
func (l *list) unified(files map[string]string) {
	for _, file := range slices.Sorted(maps.Keys(files)) {
		value := strings.TrimRight(files[file], "\n")
		switch file {
		case "memory.min":
			l.size("MemoryMin", value)
		case "memory.low":
			l.size("MemoryLow", value)
		case "memory.high":
			l.positive("MemoryHigh", value)
		case "memory.max":
			l.positive("MemoryMax", value)
		case "memory.swap.max":
			l.size("MemorySwapMax", value)
		case "memory.zswap.max":
			l.size("MemoryZSwapMax", value)
		case "pids.max":
			if n, ok := size(value); ok {
				l.may("TasksMax", max(n, 1))
			}
		case "cpu.weight":
			l.number("CPUWeight", value)
		case "cpu.max":
			l.cpuMax(value)
		case "cpuset.cpus":
			l.set8("AllowedCPUs", value)
		case "cpuset.mems":
			l.set8("AllowedMemoryNodes", value)
		case "io.weight":
			l.ioWeight(value)
		case "io.max":
			l.ioMax(value)
		case "io.latency":
			l.ioLatency(value)
		}
	}
}

// size parses a number of bytes, or "max".
func size(text string) (n uint64, ok bool) {
	if text == "max" {
		return infinity, true
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

func (l *list) size(name, text string) {
	if n, ok := size(text); ok {
		l.may(name, n)
	}
}

// positive is like size, for values that must not be 0 in systemd.
func (l *list) positive(name, text string) {
	if n, ok := size(text); ok && n > 0 {
		l.may(name, n)
	}
}

func (l *list) number(name, text string) {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		l.may(name, n)
	}
}

// cpuMax parses "QUOTA [PERIOD]".
func (l *list) cpuMax(text string) {
	quota, length, both := strings.Cut(text, " ")
	var period *uint64
	if both {
		n, err := strconv.ParseUint(length, 10, 64)
		if err != nil {
			return
		}
		period = &n
	}
	if quota == "max" {
		l.quota(-1, period)
	} else if n, err := strconv.ParseInt(quota, 10, 64); err == nil && n > 0 {
		l.quota(n, period)
	}
}

// ioWeight parses lines of "[default] WEIGHT" and "MAJOR:MINOR WEIGHT".
func (l *list) ioWeight(text string) {
	var devices []deviceValue
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		device, weight, two := strings.Cut(line, " ")
		if !two || device == "default" {
			l.number("IOWeight", strings.TrimPrefix(line, "default "))
			continue
		}
		if n, err := strconv.ParseUint(weight, 10, 64); err == nil && isDevice(device) {
			devices = append(devices, deviceValue{"/dev/block/" + device, n})
		}
	}
	if devices != nil {
		l.may("IODeviceWeight", devices)
	}
}

// ioMax parses lines of "MAJOR:MINOR KEY=RATE...".
func (l *list) ioMax(text string) {
	keys := [...]struct{ key, name string }{
		{"rbps=", "IOReadBandwidthMax"},
		{"wbps=", "IOWriteBandwidthMax"},
		{"riops=", "IOReadIOPSMax"},
		{"wiops=", "IOWriteIOPSMax"},
	}
	for _, k := range keys {
		if devices := deviceValues(text, k.key); devices != nil {
			l.may(k.name, devices)
		}
	}
}

// ioLatency parses lines of "MAJOR:MINOR target=USECS".
func (l *list) ioLatency(text string) {
	if devices := deviceValues(text, "target="); devices != nil {
		l.may("IODeviceLatencyTargetUSec", devices)
	}
}

// deviceValues returns the values of key in lines that begin with a device.
func deviceValues(text, key string) []deviceValue {
	var devices []deviceValue
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || !isDevice(words[0]) {
			continue
		}
		for _, w := range words[1:] {
			value, ok := strings.CutPrefix(w, key)
			if !ok {
				continue
			}
			if n, ok := size(value); ok {
				devices = append(devices, deviceValue{"/dev/block/" + words[0], n})
			}
		}
	}
	return devices
}

// isDevice reports whether text is "MAJOR:MINOR".
func isDevice(text string) bool {
	major, minor, ok := strings.Cut(text, ":")
	_, err1 := strconv.ParseUint(major, 10, 32)
	_, err2 := strconv.ParseUint(minor, 10, 32)
	return ok && err1 == nil && err2 == nil
}
