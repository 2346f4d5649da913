// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPlantedState: files that an attacker has planted in the state directory cannot block a
// command, or lead it elsewhere.
func TestPlantedState(t *testing.T) {
	withstands(t, 1, func(s *stage) string {
		other := s.dir + "/other"
		for _, dir := range []string{s.state, s.state + "/fifo", other} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				s.Fatal(err)
			}
		}
		for _, path := range []string{s.state + "/fifo/state.json", other + "/state.json"} {
			if err := unix.Mkfifo(path, 0o600); err != nil {
				s.Fatal(err)
			}
		}
		if err := os.Symlink(other, s.state+"/link"); err != nil {
			s.Fatal(err)
		}
		var won []string
		for _, command := range []string{"state", "kill", "delete --force"} {
			for _, id := range []string{"fifo", "link"} {
				args := append(append([]string{"--root", s.state}, strings.Fields(command)...), id)
				const hangs = 3 * time.Second
				ctx, cancel := context.WithTimeout(context.Background(), hangs)
				_ = exec.CommandContext(ctx, s.runtime, args...).Run()
				if ctx.Err() != nil {
					won = append(won, command+" hangs")
				}
				cancel()
			}
		}
		if _, err := os.Stat(other + "/state.json"); err != nil {
			won = append(won, "what a link leads to is removed")
		}
		return strings.Join(won, ", ")
	})
}

// TestPlantedHooks: root does not run the hooks in an ordinary user's state.
func TestPlantedHooks(t *testing.T) {
	withstands(t, 1, func(s *stage) string {
		mark := s.dir + "/mark"
		b := s.box("a").sh("true")
		b.hook(mark)
		b.must("run", "--detach", b.id)
		b.spec.Hooks = nil
		err := filepath.WalkDir(s.state, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, 1000, 1000)
		})
		if err != nil {
			s.Fatal(err)
		}
		b.must("delete", "--force", b.id)
		return read(mark)
	})
}
