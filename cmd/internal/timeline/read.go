// SPDX-License-Identifier: Apache-2.0

// Package timeline reads the traces that `berth --trace` writes, and shows them as a tree of
// phases.
//
// A trace may come from anywhere. What is not a trace of berth's is one error with its line, and
// no text of a file reaches a terminal unescaped.
package timeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of what is read. A `run` has some 70 phases of 100 bytes each.
const (
	maxFile   = 64 << 20
	maxFiles  = 10_000
	maxEvents = 500_000
	// maxMicros is some 30 years.
	maxMicros = 1e15
)

// event is a line of a trace (libcontainer/trace writes it).
type event struct {
	Kind     string   `json:"ph"`
	Name     string   `json:"name"`
	Start    *float64 `json:"ts"`
	Duration *float64 `json:"dur"`
	PID      int64    `json:"pid"`
	TID      int64    `json:"tid"`
	Args     struct {
		Name  string `json:"name"`
		Error string `json:"error"`
	} `json:"args"`
}

// Read returns the commands in the traces, in the order in which they began. Each path is a file
// or a directory, whose files with names ending in .json are read.
func Read(paths []string) ([]*Command, error) {
	var all []*Command
	for _, path := range paths {
		files, err := filesOf(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := readFile(file)
			if err != nil {
				return nil, err
			}
			commands, err := parse(data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			all = append(all, commands...)
		}
	}
	slices.SortStableFunc(all, func(a, b *Command) int { return int(a.Start - b.Start) })
	return all, nil
}

func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	switch {
	case len(files) == 0:
		return nil, fmt.Errorf("%s: no trace in this directory (a trace is a file with a name ending in .json)", path)
	case len(files) > maxFiles:
		return nil, fmt.Errorf("%s: more than %d traces", path, maxFiles)
	}
	return files, nil
}

// readFile reads a regular file: a fifo would make it wait, and a device may have no end.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: neither a regular file nor a directory", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s: more than %d MiB", path, maxFile>>20)
	}
	return data, err
}

// errCut is the error of a trace that ends in the middle of an event.
var errCut = errors.New("the trace is cut off here")

// parse returns the commands of a trace, which is a JSON array. The bracket at its end may be
// missing.
func parse(data []byte) ([]*Command, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	at := 0 // where the event begins that is being read
	fail := func(err error) error {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err, at = errCut, len(bytes.TrimRight(data, "\n"))
		}
		return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:at], []byte("\n")), err)
	}
	if first, err := dec.Token(); err != nil || first != json.Delim('[') {
		return nil, errors.New("not a trace (berth --trace FILE writes one)")
	}
	b := builder{byPID: map[int64]*Command{}}
	for n := 0; dec.More(); n++ {
		if n == maxEvents {
			return nil, fmt.Errorf("more than %d events", maxEvents)
		}
		rest := data[dec.InputOffset():]
		at = len(data) - len(bytes.TrimLeft(rest, ", \t\r\n"))
		var e event
		if err := dec.Decode(&e); err != nil {
			return nil, fail(err)
		}
		if err := b.add(&e); err != nil {
			return nil, fail(err)
		}
	}
	rest := data[dec.InputOffset():]
	at = len(data) - len(bytes.TrimLeft(rest, " \t\r\n"))
	if _, err := dec.Token(); err == nil {
		if rest = bytes.TrimSpace(data[dec.InputOffset():]); len(rest) > 0 {
			return nil, fail(errors.New("there is something after the end of the trace"))
		}
	} else if !errors.Is(err, io.EOF) {
		return nil, fail(err)
	} else if bytes.HasSuffix(bytes.TrimSpace(data), []byte(",")) {
		return nil, fail(io.EOF)
	}
	return b.finish()
}

// builder puts events together. A pid may come back; then it is that of the last command.
type builder struct {
	commands []*Command
	byPID    map[int64]*Command
}

func (b *builder) add(e *event) error {
	if e.Kind == "M" && e.Name == "process_name" {
		c := &Command{Name: e.Args.Name, PID: e.PID, tracks: map[int64]*Track{}}
		b.commands, b.byPID[e.PID] = append(b.commands, c), c
		return nil
	}
	c := b.byPID[e.PID]
	switch {
	case e.Kind != "M" && e.Kind != "X":
		return fmt.Errorf("an event of kind %.20q, which berth's traces do not have", e.Kind)
	case c == nil:
		return fmt.Errorf("process %d has no name", e.PID)
	case e.Kind == "M" && e.Name == "thread_name":
		if c.tracks[e.TID] == nil {
			c.tracks[e.TID] = &Track{Name: e.Args.Name}
			c.Tracks = append(c.Tracks, c.tracks[e.TID])
		}
		return nil
	case e.Kind == "M":
		return nil
	case e.Start == nil || e.Duration == nil:
		return fmt.Errorf("phase %.80q has no start or no duration", e.Name)
	case *e.Start < 0 || *e.Duration < 0 || *e.Start > maxMicros || *e.Duration > maxMicros:
		return fmt.Errorf("phase %.80q has an impossible time", e.Name)
	case c.tracks[e.TID] == nil:
		return fmt.Errorf("phase %.80q is in track %d, which has no name", e.Name, e.TID)
	}
	track := c.tracks[e.TID]
	track.all = append(track.all, &Phase{
		Name: e.Name, Start: micros(*e.Start), Duration: micros(*e.Duration), Error: e.Args.Error,
	})
	return nil
}

// micros rounds: a phase must not end a nanosecond after the one that it is a part of.
func micros(n float64) time.Duration { return time.Duration(math.Round(n * float64(time.Microsecond))) }

func (b *builder) finish() ([]*Command, error) {
	for _, c := range b.commands {
		if err := c.finish(); err != nil {
			return nil, err
		}
	}
	return b.commands, nil
}
