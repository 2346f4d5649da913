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

// DirMode is for directories of images and logs: the memory of programs is in them.
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

// Files of a checkpoint.
const (
	DumpLog    = "dump.log"
	RestoreLog = "restore.log"
)

// configFiles have more options for criu, when no annotation names another one; the
// first that is there counts. The second is runc's, for who has been using that.
var configFiles = [...]string{"/etc/criu/berth.conf", "/etc/criu/runc.conf"}

// Run is one use of criu.
type Run struct {
	Task         Task
	Images, work string
	// Log is the path of criu's log.
	Log   string
	Files []*os.File
}

// NewRun prepares what checkpoints and restores have in common.
func NewRun(o *options.CRIU, logName string, annotations map[string]string) (*Run, error) {
	path, err := Find(o.Criu)
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

// OpenDirectories opens the directories for criu, which takes the numbers of the caller's
// own descriptors. It is called in the mount namespace that criu is going to have: criu
// mounts below the second.
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

// Close closes the files that criu was given.
func (r *Run) Close() error {
	var errs []error
	for _, f := range r.Files {
		errs = append(errs, f.Close())
	}
	r.Files = nil
	return errors.Join(errs...)
}

// Run runs criu. Its own failures are explained by its log.
func (r *Run) Run() error {
	err := r.Task.Run()
	if errors.As(err, new(*Refused)) || errors.Is(err, ErrGone) {
		err = Explain(err, r.Log)
		if userns.Unprivileged() {
			err = fmt.Errorf("%w (for who is not root criu needs CAP_CHECKPOINT_RESTORE at least)", err)
		}
	}
	return err
}

// Need refuses a criu that is older than version (31700 is 3.17): what it does not know
// of a request it ignores.
func (r *Run) Need(version int, option string) error {
	is, err := Version(r.Task.Path)
	if err != nil || is >= version {
		return err
	}
	return fmt.Errorf("%s: needs criu %d.%d or newer, %s is %d.%d", option, version/10000, version/100%100,
		r.Task.Path, is/10000, is/100%100)
}

// rpcOptions are the options in criu's words.
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
		// The Device nodes that programs have open are those of the host's numbers,
		// whatever path leads to them.
		EvasiveDevices: Ptr(true),
		// A terminal's other end is with the engine.
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
		// It does what CAP_CHECKPOINT_RESTORE allows, and says what it lacks.
		opts.Unprivileged = Ptr(true)
	}
	return opts, nil
}

// cgroupsMode is the mode by its name.
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

// networkLock is the method by its name.
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

// configFile is the file with further options, nil for none. An empty annotation
// switches the usual ones off.
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

// Ptr points to a value, as the fields of criu's requests do.
func Ptr[T any](v T) *T { return &v }
