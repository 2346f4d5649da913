// SPDX-License-Identifier: Apache-2.0

package program

import (
	"encoding/hex"
	"os"
	"strconv"
	"strings"
)

// binfmtDir is where the kernel lists the interpreters of other formats (binfmt_misc): with
// qemu-user, programs for other machines run.
const binfmtDir = "/proc/sys/fs/binfmt_misc"

// registered reports whether the kernel has an interpreter for files that begin like this.
func registered(head []byte) bool {
	entries, err := os.ReadDir(binfmtDir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Name() == "register" || e.Name() == "status" {
			continue
		}
		if text, err := os.ReadFile(binfmtDir + "/" + e.Name()); err == nil && binfmtMatches(string(text), head) {
			return true
		}
	}
	return false
}

// binfmtMatches reports whether an entry of binfmt_misc, which is as the kernel prints it, is
// enabled and matches head.
func binfmtMatches(entry string, head []byte) bool {
	var magic, mask []byte
	offset, enabled := 0, false
	for line := range strings.Lines(entry) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		var err error
		switch key {
		case "enabled":
			enabled = true
		case "offset":
			offset, err = strconv.Atoi(value)
		case "magic":
			magic, err = hex.DecodeString(value)
		case "mask":
			mask, err = hex.DecodeString(value)
		}
		if err != nil {
			return false
		}
	}
	if !enabled || len(magic) == 0 || offset < 0 || offset > len(head) || len(magic) > len(head)-offset {
		return false
	}
	for i, m := range magic {
		b := head[offset+i]
		if i < len(mask) {
			b, m = b&mask[i], m&mask[i]
		}
		if b != m {
			return false
		}
	}
	return true
}
