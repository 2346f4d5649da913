// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"golang.org/x/sys/unix"
)

// BenchmarkBuild builds the default container, each time in new namespaces on a new thread.
// Creating those is not measured. It requires root.
func BenchmarkBuild(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("requires root")
	}
	root := filepath.Join(b.TempDir(), "rootfs")
	for _, d := range []string{"dev", "proc", "sys", "work/deep/down"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	var mount, enter time.Duration
	b.ResetTimer()
	for b.Loop() {
		done := make(chan error)
		osthread.Go(func() {
			m, e, err := timeBuild(root)
			mount, enter = mount+m, enter+e
			done <- err
		})
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(mount.Microseconds())/float64(b.N), "mount-µs")
	b.ReportMetric(float64(enter.Microseconds())/float64(b.N), "enter-µs")
}

func timeBuild(root string) (mount, enter time.Duration, err error) {
	const spaces = unix.CLONE_FS | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET
	if err := unix.Unshare(spaces); err != nil {
		return 0, 0, err
	}
	c := plan(root)
	fd, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return 0, 0, err
	}
	o := &Options{Config: c, ProcContexts: []*os.File{os.NewFile(uintptr(fd), "proc")}}
	begin := time.Now()
	bld, err := New(o)
	if err != nil {
		return 0, 0, err
	}
	defer bld.Close()
	if err := bld.Mount(); err != nil {
		return 0, 0, err
	}
	middle := time.Now()
	_, err = bld.Enter()
	return middle.Sub(begin), time.Since(middle), err
}
