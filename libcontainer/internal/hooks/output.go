// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Output is where the output of hooks goes. If a file is nil, that output is kept for the error
// of a hook that fails.
type Output struct{ Stdout, Stderr *os.File }

// OpenOutput opens the files that annotations name, "" for none. They are created if missing,
// and appended to, since several commands and hooks write to them.
func OpenOutput(stdout, stderr string) (out Output, err error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if stdout != "" {
		if out.Stdout, err = os.OpenFile(stdout, flags, 0o600); err != nil {
			return out, fmt.Errorf("run.oci.hooks.stdout: %w", err)
		}
	}
	if stderr != "" {
		if out.Stderr, err = os.OpenFile(stderr, flags, 0o600); err != nil {
			out.Close()
			return Output{}, fmt.Errorf("run.oci.hooks.stderr: %w", err)
		}
	}
	return out, nil
}

// Close closes the files.
func (o Output) Close() {
	for _, f := range []*os.File{o.Stdout, o.Stderr} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// boundedBuffer keeps the first and the last bytes written to it, half of maxOutput each, and
// drops what is between them: many programs begin with what they are about to do, and end with
// the reason why they failed.
type boundedBuffer struct {
	head, tail []byte
	forgotten  int
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	const half = maxOutput / 2
	room := min(half-len(b.head), len(p))
	b.head = append(b.head, p[:room]...)
	b.tail = append(b.tail, p[room:]...)
	if excess := len(b.tail) - half; excess > 0 {
		b.tail = append(b.tail[:0], b.tail[excess:]...)
		b.forgotten += excess
	}
	return len(p), nil
}

// suffix returns the output for an error message.
func (b *boundedBuffer) suffix() string {
	gap := ""
	if b.forgotten > 0 {
		gap = fmt.Sprintf("\n[%d bytes left out]\n", b.forgotten)
	}
	s := strings.TrimSpace(string(b.head) + gap + string(b.tail))
	if s == "" {
		return ""
	}
	return fmt.Sprintf(", output: %q", s)
}

// Capture makes a pipe for a hook to write to. It reads everything, and keeps the beginning and
// the end. end returns what it has kept, for an error message, once the hook has ended. A
// process that the hook has left running may still have the pipe open.
func Capture() (end func() string, w *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	var kept boundedBuffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&kept, r)
	}()
	end = func() string {
		_ = r.SetReadDeadline(time.Now().Add(outputGrace))
		<-done
		_ = r.Close()
		return kept.suffix()
	}
	return end, w, nil
}

// WarnTo is Warn with files to write to, if any.
func WarnTo(stdout, stderr, kind string, list []specs.Hook, state *specs.State, log options.Logger, t *trace.Trace) {
	if len(list) == 0 {
		return
	}
	out, err := OpenOutput(stdout, stderr)
	if err != nil {
		log.Warnf("hooks.%s: %v", kind, err)
	}
	defer out.Close()
	Warn(kind, list, state, out, log, t)
}
