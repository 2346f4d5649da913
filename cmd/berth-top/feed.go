// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"github.com/berth-run/berth/cmd/internal/top"
)

// maxLine limits a line of JSON: a row has less than 1 KiB.
const maxLine = 16 << 20

// feed is the command that prints the numbers.
type feed struct {
	cmd *exec.Cmd
	// samples is closed when there will be no more.
	samples chan *top.Sample
	stopped chan struct{}
	stderr  bytes.Buffer
	err     error
}

// startFeed starts the command. It is in a process group of its own, so that a signal of the
// terminal does not end it before this program has seen it.
func startFeed(command []string) (*feed, error) {
	f := &feed{cmd: exec.Command(command[0], command[1:]...), samples: make(chan *top.Sample), stopped: make(chan struct{})}
	f.cmd.Stderr = &f.stderr
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := f.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(f.samples)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			sample := new(top.Sample)
			if f.err = json.Unmarshal(lines.Bytes(), sample); f.err != nil {
				return
			}
			select {
			case f.samples <- sample:
			case <-f.stopped:
				return
			}
		}
		f.err = lines.Err()
	}()
	return f, nil
}

// wait returns why there are no more numbers.
func (f *feed) wait() error {
	if f.err != nil {
		return fmt.Errorf("the numbers cannot be read: %w", f.err)
	}
	err := f.cmd.Wait()
	said, _, _ := strings.Cut(strings.TrimSpace(f.stderr.String()), "\n")
	switch {
	case said != "":
		return errors.New(said)
	case err != nil:
		return fmt.Errorf("%s: %w", f.cmd.Path, err)
	}
	return nil
}

// stop ends the command.
func (f *feed) stop() {
	close(f.stopped)
	if f.cmd.ProcessState != nil {
		return
	}
	_ = f.cmd.Process.Kill() // it only reads
	_ = f.cmd.Wait()         // its status says that we have ended it
}
