// SPDX-License-Identifier: Apache-2.0

package attr

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/internal/userns"
)

// SetOOMScore writes the oom_score_adj of a process, if one is configured. Without root rights
// over the host a refusal is normal and not an error. For an unprivileged user there is
// WithOOMScore instead.
func SetOOMScore(pid int, adj *int, rootless bool) error {
	if adj == nil || userns.Unprivileged() {
		return nil
	}
	err := WriteOOMScore(strconv.Itoa(pid), strconv.Itoa(*adj))
	if err == nil || (rootless && errors.Is(err, os.ErrPermission)) {
		return nil
	}
	return fmt.Errorf("process.oomScoreAdj: %w", err)
}

// WithOOMScore calls start, which starts a process, so that the process starts with the
// oom_score_adj. Until its exec, init's files in /proc belong to root. An unprivileged user can
// therefore set the value only by having it itself for a moment.
func WithOOMScore(adj *int, start func() error) error {
	if adj == nil || !userns.Unprivileged() {
		return start()
	}
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err == nil {
		err = WriteOOMScore("self", strconv.Itoa(*adj))
	}
	if errors.Is(err, os.ErrPermission) {
		return start() // only root may lower it
	}
	if err != nil {
		return fmt.Errorf("process.oomScoreAdj: %w", err)
	}
	err = start()
	return errors.Join(err, WriteOOMScore("self", string(bytes.TrimSpace(own))))
}

// WriteOOMScore writes the score of a process, "self" or a pid.
func WriteOOMScore(process, adj string) error {
	return sysfile.WriteOnce("/proc/"+process+"/oom_score_adj", adj)
}
