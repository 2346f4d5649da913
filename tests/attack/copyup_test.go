// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A tmpfs with tmpcopyup is filled by a process with more privileges and more memory than the
// container.

// swap is the program of another container: it exchanges two names forever. args: the names.
func swap(args []string) error {
	fmt.Println("ready")
	for {
		if err := unix.Renameat2(unix.AT_FDCWD, args[0], unix.AT_FDCWD, args[1], unix.RENAME_EXCHANGE); err != nil {
			return err
		}
	}
}

// swapper is a container that shares a volume with others and exchanges names in it.
func (s *stage) swapper(volume, one, other string) *box {
	s.Helper()
	b := s.box("swapper").mount("/vol", "bind", volume, "bind")
	b.helper("swap", "/vol/"+one, "/vol/"+other)
	path := b.startOutput()
	s.waitUntil(func() bool { return strings.HasPrefix(read(path), "ready") })
	return b
}

var copyUp = []string{"tmpcopyup", "size=256k"}

// TestCopyUpDevice: another container exchanges a file for a device node and back, over and over.
// For some drivers it is enough that a process with the host's privileges opens the device. This
// device has more data than the file, and so more than the tmpfs can hold.
func TestCopyUpDevice(t *testing.T) {
	withstands(t, 3, func(s *stage) string {
		d := s.dirs("volume")[0]
		must(t, os.Mkdir(d+"/d", 0o755), os.WriteFile(d+"/d/file", []byte("a file"), 0o644),
			unix.Mknod(d+"/d/.node", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))))
		s.swapper(d, "d/file", "d/.node")
		b := s.box("victim").sh("true").mount("/vol", "bind", d, "bind").mount("/vol/d", "tmpfs", "tmpfs", copyUp...)
		for range 40 {
			if r := b.command("run", b.id); r.status != 0 && strings.Contains(r.out, "no space left") {
				return r.out
			}
		}
		return ""
	})
}

// needMemory skips a test if containers' memory cannot be limited.
func needMemory(t *testing.T) {
	t.Helper()
	if suite.unified && !strings.Contains(read("/sys/fs/cgroup/cgroup.controllers"), "memory") {
		t.Skip("requires the memory controller on cgroup v2")
	}
}

// TestCopyUpMemory: a directory of the image has more than the container's memory, in one large
// file or in many empty ones, for containers with and without a user namespace.
func TestCopyUpMemory(t *testing.T) {
	needMemory(t)
	const limit = 4 << 20
	for name, fill := range map[string]func(dir string) error{
		"file": func(dir string) error {
			return os.WriteFile(dir+"/large", []byte(strings.Repeat("x", 4*limit)), 0o644)
		},
		"names": func(dir string) error {
			for i := range 7000 {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		for kind, prepare := range map[string]func(b *box){"": func(*box) {}, " user namespace": func(b *box) { b.mapped() }} {
			t.Run(name+kind, func(t *testing.T) {
				withstands(t, 1, func(s *stage) string {
					b := s.memoryBox(limit, fill)
					prepare(b)
					b.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
					if r := b.command("create", b.id); r.status != 0 {
						return ""
					}
					return "a tmpfs with more than the limit"
				})
			})
		}
	}
}

// memoryBox returns a container with a memory limit and a directory in its image.
func (s *stage) memoryBox(limit int64, fill func(dir string) error) *box {
	s.Helper()
	b := s.box("a")
	must(s.T, os.Mkdir(b.path("rootfs/data"), 0o755), fill(b.path("rootfs/data")))
	b.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &limit}}
	return b
}

// TestCopyUpMemoryAdd: the same for a mount that is added to a container.
func TestCopyUpMemoryAdd(t *testing.T) {
	needMemory(t)
	const limit = 4 << 20
	withstands(t, 1, func(s *stage) string {
		b := s.memoryBox(limit, func(dir string) error {
			return os.WriteFile(dir+"/large", []byte(strings.Repeat("x", 4*limit)), 0o644)
		})
		b.sh("sleep 1000").must("run", "--detach", b.id)
		data, err := json.Marshal([]specs.Mount{{Destination: "/data", Type: "tmpfs", Source: "tmpfs", Options: []string{"tmpcopyup"}}})
		must(t, err, os.WriteFile(b.path("mounts.json"), data, 0o644))
		if r := b.command("mounts", "add", b.id, b.path("mounts.json")); r.status != 0 {
			return ""
		}
		return "a tmpfs with more than the limit"
	})
}
