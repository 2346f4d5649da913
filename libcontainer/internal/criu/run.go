// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// DirMode is for directories of images and logs: they contain the memory of programs.
const DirMode = 0o700

// MakeWork makes the directory of logs.
func MakeWork(o *options.CRIU) error {
	if o.WorkPath == "" {
		return nil
	}
	if err := os.MkdirAll(o.WorkPath, DirMode); err != nil {
		return fmt.Errorf("work-path: %w", err)
	}
	return nil
}

// Files in the work directory.
const (
	DumpLog    = "dump.log"
	RestoreLog = "restore.log"
)

// configFiles hold more options for criu, if no annotation names another file. The first that
// exists is used. The second is runc's, for users who have one.
var configFiles = [...]string{"/etc/criu/berth.conf", "/etc/criu/runc.conf"}

// Run is one run of criu.
type Run struct {
	Task         Task
	Images, work string
	// Log is the path of criu's log.
	Log   string
	Files []*os.File
}

// NewRun prepares what checkpoints and restores have in common.
func NewRun(o *options.CRIU, logName string, annotations map[string]string) (*Run, error) {
	path, err := find(o.Criu)
	if err != nil {
		return nil, err
	}
	opts, err := rpcOptions(o)
	if err != nil {
		return nil, err
	}
	work := o.WorkPath
	if work == "" {
		work = o.ImagePath
	}
	r := &Run{Images: o.ImagePath, work: work, Log: filepath.Join(work, logName)}
	r.Task = Task{Path: path, Opts: opts, OwnGroup: !o.ShellJob}
	opts.LogFile = &logName
	if opts.ConfigFile, err = configFile(annotations); err != nil {
		return nil, err
	}
	return r, r.needLock(o.NetworkLock)
}

// needLock refuses a criu that does not know the method.
func (r *Run) needLock(method string) error {
	switch method {
	case "":
		return nil
	case "skip":
		return r.Need(31900, "network-lock skip")
	}
	return r.Need(31700, "network-lock")
}

// OpenDirectories opens the directories for criu, which takes them as descriptor numbers of the
// caller. It is called in the mount namespace that criu is going to have: criu mounts below the
// second.
func (r *Run) OpenDirectories() error {
	for _, d := range [...]struct {
		path string
		fd   **int32
	}{{r.Images, &r.Task.Opts.ImagesDirFd}, {r.work, &r.Task.Opts.WorkDirFd}} {
		dir, err := os.OpenFile(d.path, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		r.Files = append(r.Files, dir)
		*d.fd = Ptr(int32(dir.Fd()))
	}
	return nil
}

// Close closes the files that were opened for criu.
func (r *Run) Close() error {
	var errs []error
	for _, f := range r.Files {
		errs = append(errs, f.Close())
	}
	r.Files = nil
	return errors.Join(errs...)
}

// Run runs criu. If criu itself fails, its log explains the error.
func (r *Run) Run() error {
	err := r.Task.Run()
	if errors.As(err, new(*Refused)) || errors.Is(err, ErrGone) {
		err = explain(err, r.Log)
		if userns.Unprivileged() {
			err = fmt.Errorf("%w (without root rights criu needs at least CAP_CHECKPOINT_RESTORE)", err)
		}
	}
	return err
}

// Need refuses a criu older than version (31700 is 3.17): criu ignores the parts of a request
// that it does not know.
func (r *Run) Need(version int, option string) error {
	is, err := versionOf(r.Task.Path)
	if err != nil || is >= version {
		return err
	}
	return fmt.Errorf("%s: needs criu %d.%d or newer, %s is %d.%d", option, version/10000, version/100%100,
		r.Task.Path, is/10000, is/100%100)
}

// rpcOptions translates the options into criu's.
func rpcOptions(o *options.CRIU) (*rpc.CriuOpts, error) {
	const verbose = 4
	opts := &rpc.CriuOpts{
		LogLevel:       Ptr(int32(verbose)),
		TcpEstablished: &o.TCPEstablished,
		ExtUnixSk:      &o.ExtUnixSk,
		ShellJob:       &o.ShellJob,
		FileLocks:      &o.FileLocks,
		LazyPages:      &o.LazyPages,
		AutoDedup:      &o.AutoDedup,
		LinkRemap:      &o.LinkRemap,
		// The device nodes that programs have open have the host's numbers, whatever path leads
		// to them.
		EvasiveDevices: Ptr(true),
		// The engine has the other end of a terminal.
		OrphanPtsMaster: Ptr(true),
	}
	mode, err := cgroupsMode(o.ManageCgroupsMode)
	if err != nil {
		return nil, err
	}
	opts.ManageCgroups, opts.ManageCgroupsMode = Ptr(true), &mode
	if o.NetworkLock != "" {
		lock, err := networkLock(o.NetworkLock)
		if err != nil {
			return nil, err
		}
		opts.NetworkLock = &lock
	}
	if o.EmptyNetwork {
		opts.EmptyNs = Ptr(uint32(unix.CLONE_NEWNET))
	}
	if s := o.PageServer; s != nil {
		opts.Ps = &rpc.CriuPageServerInfo{Address: &s.Address, Port: Ptr(int32(s.Port))}
	}
	if os.Geteuid() != 0 {
		// criu does what CAP_CHECKPOINT_RESTORE allows, and reports what it lacks.
		opts.Unprivileged = Ptr(true)
	}
	return opts, nil
}

// cgroupsMode returns the mode with a name.
func cgroupsMode(name string) (rpc.CriuCgMode, error) {
	switch name {
	case "", "soft":
		return rpc.CriuCgMode_SOFT, nil
	case "full":
		return rpc.CriuCgMode_FULL, nil
	case "strict":
		return rpc.CriuCgMode_STRICT, nil
	case "ignore":
		return rpc.CriuCgMode_IGNORE, nil
	}
	return 0, fmt.Errorf("manage-cgroups-mode: unknown mode %q (soft, full, strict and ignore are known)", name)
}

// networkLock returns the method with a name.
func networkLock(name string) (rpc.CriuNetworkLockMethod, error) {
	switch name {
	case "iptables":
		return rpc.CriuNetworkLockMethod_IPTABLES, nil
	case "nftables":
		return rpc.CriuNetworkLockMethod_NFTABLES, nil
	case "skip":
		return rpc.CriuNetworkLockMethod_SKIP, nil
	}
	return 0, fmt.Errorf("network-lock: unknown method %q (iptables, nftables and skip are known)", name)
}

// configFile returns the file with further options, nil for none. An empty annotation disables
// the default files.
func configFile(annotations map[string]string) (*string, error) {
	if path, ok := annotations[configs.CriuConfigAnnotation]; ok {
		if path == "" {
			return nil, nil
		}
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("annotations[%q]: %w", configs.CriuConfigAnnotation, err)
		}
		return &path, nil
	}
	for _, path := range configFiles {
		if _, err := os.Stat(path); err == nil {
			return &path, nil
		}
	}
	return nil, nil
}

// Ptr returns a pointer to a value, as the fields of criu's requests need.
func Ptr[T any](v T) *T { return &v }
