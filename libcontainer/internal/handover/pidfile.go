// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/berth-run/berth/libcontainer/access"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"golang.org/x/sys/unix"
)

// WritePIDFile writes pid without a newline: engines parse the whole file as a number. It
// writes nothing for the path "". remove removes the file again, unless it existed before or
// has been replaced.
//
// A regular file is replaced, so that a reader sees all or nothing. Anything else, even a link,
// belongs to the caller and stays: it is written to, as the shell would do.
func WritePIDFile(path string, pid int) (remove func() error, err error) {
	remove = func() error { return nil }
	if path == "" {
		return remove, nil
	}
	text := []byte(strconv.Itoa(pid))
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		err = writeInto(path, text)
	case err == nil || errors.Is(err, fs.ErrNotExist):
		var undo func() error
		if undo, err = replaceFile(path, text); err == nil {
			remove = undo
		}
	}
	if err != nil {
		return remove, codes.With(codes.PIDFileFailed, fmt.Errorf("pid file: %w", access.ExplainMissing(path, err)))
	}
	return remove, nil
}

// writeInto writes to the file at path, which may be a fifo with a waiting reader.
func writeInto(path string, data []byte) error {
	f, err := sysfile.Open(path, unix.O_WRONLY|unix.O_TRUNC|unix.O_NOCTTY)
	if err != nil {
		return err
	}
	_, err = sysfile.RetryEINTR(func() (int, error) { return unix.Write(int(f.Fd()), data) })
	if err = errors.Join(err, f.Close()); err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

// replaceFile puts a new file at path. It writes it under another name first, which an engine
// does not watch for and nobody else uses.
func replaceFile(path string, data []byte) (remove func() error, err error) {
	var tmp string
	for n := 0; ; n++ {
		tmp = filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.%d", filepath.Base(path), os.Getpid(), n))
		if err = sysfile.WriteNew(tmp, data, 0o644); !errors.Is(err, unix.EEXIST) {
			break
		}
	}
	if err != nil {
		if open := (*os.PathError)(nil); errors.As(err, &open) {
			open.Path = path // the name that the caller knows
		}
		return nil, err
	}
	var ours unix.Stat_t
	if err = unix.Lstat(tmp, &ours); err == nil {
		if err = unix.Rename(tmp, path); err != nil {
			err = &os.LinkError{Op: "rename", Old: tmp, New: path, Err: err}
		}
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(tmp))
	}
	return func() error {
		var now unix.Stat_t
		if unix.Lstat(path, &now) != nil || now.Dev != ours.Dev || now.Ino != ours.Ino {
			return nil
		}
		return os.Remove(path)
	}, nil
}
