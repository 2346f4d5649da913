// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// snapshot describes every file that a created container sees, in a line with its path, type,
// mode, owner and content, and on its root file system the time of its last change. Other file
// systems, such as the one at volume, are newer. Directories in skip are left out.
func snapshot(pid int, volume string, skip ...string) ([]string, error) {
	root := fmt.Sprintf("/proc/%d/root", pid)
	var top unix.Stat_t
	if err := unix.Stat(root, &top); err != nil {
		return nil, fmt.Errorf("stat %s: %w", root, err)
	}
	var lines []string
	err := filepath.WalkDir(root+"/", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := path[len(root):]
		if slices.Contains(skip, name) {
			return filepath.SkipDir
		}
		line, err := describe(path, name, func(st *unix.Stat_t) bool {
			return st.Dev == top.Dev && name != volume && !strings.HasPrefix(name, volume+"/")
		})
		lines = append(lines, line)
		return err
	})
	return lines, err
}

// describe returns the line of a file, with its time if that counts.
func describe(path, name string, timed func(*unix.Stat_t) bool) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", fmt.Errorf("lstat %s: %w", path, err)
	}
	line := fmt.Sprintf("%q mode %o owner %d:%d device %d", name, st.Mode, st.Uid, st.Gid, st.Rdev)
	if timed(&st) {
		line += fmt.Sprintf(" time %d.%09d", st.Mtim.Sec, st.Mtim.Nsec)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		return line + " to " + target, err
	case unix.S_IFREG:
		file, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer file.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, file); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s sha256 %x", line, sum.Sum(nil)), nil
	}
	return line, nil
}

// sameFiles compares two snapshots and returns the first difference.
func sameFiles(before, now []string) error {
	for i := range min(len(before), len(now)) {
		if before[i] != now[i] {
			return fmt.Errorf("was %s, is %s", before[i], now[i])
		}
	}
	if len(before) != len(now) {
		return fmt.Errorf("were %d files, are %d", len(before), len(now))
	}
	return nil
}
