// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/berth-run/berth/seccomp/internal/packed"
	"github.com/berth-run/berth/seccomp/internal/wire"
	"golang.org/x/sys/unix"
)

// compiler is the compiler that this binary carries.
type compiler struct {
	header *packed.Header
	// file reads the executable; the header has been read from it.
	file fs.File
}

// openCompiler finds the compiler; errNoCompiler when there is none.
func openCompiler() (*compiler, error) {
	f, err := carried.Open(carriedName)
	if err != nil {
		return nil, errNoCompiler
	}
	h, err := packed.ReadHeader(f)
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	return &compiler{header: h, file: f}, nil
}

// Close releases the compiler.
func (c *compiler) Close() error { return c.file.Close() }

// compile runs the compiler on one request. Its three streams are memory files:
// unlike pipes, nobody has to serve them while it runs.
func (c *compiler) compile(request []byte) (*wire.Answer, error) {
	exe, err := c.executable()
	if err != nil {
		return nil, err
	}
	defer exe.Close()
	var streams [3]*os.File
	for i, name := range [...]string{"seccomp-request", "seccomp-answer", "seccomp-error"} {
		if streams[i], err = memfd(name, 0); err != nil {
			return nil, err
		}
		defer streams[i].Close()
	}
	if _, err := streams[0].WriteAt(request, 0); err != nil {
		return nil, fmt.Errorf("seccomp: request: %w", err)
	}
	status, err := run(exe, streams[:])
	if err != nil {
		return nil, err
	}
	if !status.Success() {
		return nil, refusal(status, streams[2])
	}
	out, err := contents(streams[1])
	if err != nil {
		return nil, err
	}
	answer, err := wire.DecodeAnswer(out)
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	return answer, nil
}

// run executes exe with an empty environment: nothing that the caller's caller
// has set shall steer it. It is killed should the runtime die.
func run(exe *os.File, streams []*os.File) (*os.ProcessState, error) {
	// The signal comes when this thread dies, which it may if others get to use it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := os.StartProcess(fmt.Sprintf("/proc/self/fd/%d", exe.Fd()), []string{"berth-seccomp"}, &os.ProcAttr{
		Files: streams, Env: []string{}, Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return nil, fmt.Errorf("seccomp: filter compiler: %w", err)
	}
	status, err := p.Wait()
	if err != nil {
		return nil, fmt.Errorf("seccomp: filter compiler: %w", err)
	}
	return status, nil
}

// refusal is the error of a compiler that failed: its own words, which name the
// field of the profile.
func refusal(status *os.ProcessState, stderr *os.File) error {
	text, err := contents(stderr)
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if status.ExitCode() != 1 || line == "" {
		return fmt.Errorf("seccomp: filter compiler: %v: %s", status, line)
	}
	return errors.New(line)
}

// executable is the compiler as a sealed file in memory. It is made anew for
// every compilation, as these are rare.
func (c *compiler) executable() (*os.File, error) {
	f, err := memfd("seccomp-compiler", unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) {
		// MFD_EXEC needs Linux 6.3; without it every memory file is executable.
		f, err = memfd("seccomp-compiler", unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(f, c.file)
	if err == nil && n != c.header.Size {
		err = fmt.Errorf("%d bytes of %d", n, c.header.Size)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("seccomp: filter compiler: %w", err)
	}
	if err := seal(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("seccomp: filter compiler: seal: %w", err)
	}
	return f, nil
}

// seal makes a memory file unchangeable. One that is busy, as when the kernel's own reclaim
// has hold of a page, is tried again; the kernel has waited some 100 ms by then.
func seal(f *os.File) error {
	const tries = 20
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	var err error
	for range tries {
		if _, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); !errors.Is(err, unix.EBUSY) {
			break
		}
	}
	return err
}

// memfd is an empty file in memory.
func memfd(name string, flags int) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|flags)
	if err != nil {
		return nil, fmt.Errorf("seccomp: memfd_create %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// contents is the whole of a memory file, wherever its offset is: the compiler
// shares that with us.
func contents(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	return b, nil
}
