// SPDX-License-Identifier: Apache-2.0

// Package word parses names of capabilities, and ids.
package word

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
)

// CapabilityName returns the full name of a capability.
func CapabilityName(text string) (string, error) {
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "CAP_") {
		name = "CAP_" + name
	}
	if !slices.Contains(configs.CapabilityNames[:], name) {
		return "", fmt.Errorf("unknown capability %q", text)
	}
	return name, nil
}

// ParseID accepts only digits: a sign, a blank or an id that overflows would result in another
// user (CVE-2026-30892).
func ParseID(text string) (uint32, error) {
	if text == "" {
		return 0, errors.New("there is no number")
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, fmt.Errorf("%q is not a number", text)
		}
	}
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil || id == 1<<32-1 {
		return 0, fmt.Errorf("%s is more than an id can be", text)
	}
	return uint32(id), nil
}
