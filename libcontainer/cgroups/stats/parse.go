// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// parseNumber parses one number. "max" is the largest number, and so is a negative number,
// which v1 uses for no limit.
func parseNumber(text string) (uint64, error) {
	if text == "max" {
		return math.MaxUint64, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err == nil {
		return n, nil
	}
	if i, ierr := strconv.ParseInt(text, 10, 64); ierr == nil && i < 0 {
		return math.MaxUint64, nil
	}
	return 0, fmt.Errorf("not a number: %q", text)
}

// parseFlat parses lines of a key, a space and a number.
func parseFlat(text string) (map[string]uint64, error) {
	m := make(map[string]uint64, 64)
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("not a key and a number: %q", line)
		}
		n, err := parseNumber(value)
		if err != nil {
			return nil, err
		}
		m[key] = n
	}
	return m, nil
}

// parseList parses numbers separated by spaces.
func parseList(text string) ([]uint64, error) {
	var list []uint64
	for word := range strings.FieldsSeq(text) {
		n, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("not a number: %q", word)
		}
		list = append(list, n)
	}
	return list, nil
}

// parsePerCPU parses cpuacct.usage_all: a heading, and for each CPU a line with its number,
// user time and kernel time.
func parsePerCPU(text string) (user, kernel []uint64, err error) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "cpu") {
			continue
		}
		n, err := parseList(line)
		if err != nil {
			return nil, nil, err
		}
		if len(n) == 0 {
			continue
		}
		if len(n) != 3 {
			return nil, nil, fmt.Errorf("not three numbers: %q", line)
		}
		user, kernel = append(user, n[1]), append(kernel, n[2])
	}
	return user, kernel, nil
}

// parseRanges parses a set like "0-2,7" (cpuset(7), List format).
func parseRanges(text string) ([]uint16, error) {
	var set []uint16
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, err := strconv.ParseUint(first, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("not a range of numbers: %q", part)
		}
		b, err := strconv.ParseUint(last, 10, 16)
		if err != nil || b < a || len(set)+int(b-a) > math.MaxUint16 {
			return nil, fmt.Errorf("not a range of numbers: %q", part)
		}
		for n := a; n <= b; n++ {
			set = append(set, uint16(n))
		}
	}
	return set, nil
}

// parsePressure parses a file like cpu.pressure: lines "some" and "full" of KEY=VALUE.
func parsePressure(text string) (*PSI, error) {
	var psi PSI
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		p := &psi.Some
		switch words[0] {
		case "some":
		case "full":
			p = &psi.Full
		default:
			continue // From a later kernel.
		}
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			if err := p.set(key, value); err != nil {
				return nil, fmt.Errorf("%q: %w", w, err)
			}
		}
	}
	return &psi, nil
}

func (p *Pressure) set(key, value string) error {
	var err error
	average := func(to *float64) {
		var f float64
		// JSON has no infinity.
		if f, err = strconv.ParseFloat(value, 64); err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
			err = strconv.ErrRange
		}
		if err == nil {
			*to = f
		}
	}
	switch key {
	case "avg10":
		average(&p.Avg10)
	case "avg60":
		average(&p.Avg60)
	case "avg300":
		average(&p.Avg300)
	case "total":
		p.Total, err = strconv.ParseUint(value, 10, 64)
	}
	return err
}

// parseDevice parses "MAJOR:MINOR".
func parseDevice(text string) (e BlkioEntry, err error) {
	major, minor, ok := strings.Cut(text, ":")
	if ok {
		if e.Major, err = strconv.ParseUint(major, 10, 32); err == nil {
			e.Minor, err = strconv.ParseUint(minor, 10, 32)
		}
	}
	if !ok || err != nil {
		return e, fmt.Errorf("not a device number: %q", text)
	}
	return e, nil
}

// parseBlkio parses a file of v1's blkio: lines with a device, an operation if the file
// distinguishes them, and a number. The line with the total has no device.
func parseBlkio(text string) ([]BlkioEntry, error) {
	var entries []BlkioEntry
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] == "Total" {
			continue
		}
		e, err := parseDevice(words[0])
		if err != nil {
			return nil, err
		}
		if len(words) > 2 {
			e.Op = words[1]
		}
		if e.Value, err = strconv.ParseUint(words[len(words)-1], 10, 64); err != nil {
			return nil, fmt.Errorf("not a number: %q", line)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// parseIOStat parses v2's io.stat: lines of a device and KEY=VALUE. There may be a device
// without keys, and keys of other policies (cost.usage).
func parseIOStat(text string) (b Blkio, err error) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		e, err := parseDevice(words[0])
		if err != nil {
			return Blkio{}, err
		}
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			list := &b.ServiceBytes
			switch key {
			case "rbytes", "rios":
				e.Op = "Read"
			case "wbytes", "wios":
				e.Op = "Write"
			case "dbytes", "dios":
				e.Op = "Discard"
			default:
				continue
			}
			if strings.HasSuffix(key, "ios") {
				list = &b.Serviced
			}
			if e.Value, err = strconv.ParseUint(value, 10, 64); err != nil {
				return Blkio{}, fmt.Errorf("not a number: %q", w)
			}
			*list = append(*list, e)
		}
	}
	return b, nil
}
