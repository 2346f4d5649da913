// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// criuDirMode is for directories of images and logs: the memory of programs is in them.
const criuDirMode = 0o700

// makeWork makes the directory of logs.
func makeWork(o *options.CRIU) error {
	if o.WorkPath == "" {
		return nil
	}
	if err := os.MkdirAll(o.WorkPath, criuDirMode); err != nil {
		return fmt.Errorf("work-path: %w", err)
	}
	return nil
}

// Files of a checkpoint.
const (
	dumpLog    = "dump.log"
	restoreLog = "restore.log"
)

// criuConfigFiles have more options for criu, when no annotation names another one; the
// first that is there counts. The second is runc's, for who has been using that.
var criuConfigFiles = [...]string{"/etc/criu/berth.conf", "/etc/criu/runc.conf"}

// criuRun is one use of criu.
type criuRun struct {
	task         criu.Task
	images, work string
	// log is the path of criu's log.
	log   string
	files []*os.File
}

// newCriuRun prepares what checkpoints and restores have in common.
func newCriuRun(o *options.CRIU, logName string, annotations map[string]string) (*criuRun, error) {
	path, err := criu.Find(o.Criu)
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
	r := &criuRun{images: o.ImagePath, work: work, log: filepath.Join(work, logName)}
	r.task = criu.Task{Path: path, Opts: opts, OwnGroup: !o.ShellJob}
	opts.LogFile = &logName
	if opts.ConfigFile, err = criuConfig(annotations); err != nil {
		return nil, err
	}
	return r, r.needLock(o.NetworkLock)
}

// needLock refuses a criu that does not know the method.
func (r *criuRun) needLock(method string) error {
	switch method {
	case "":
		return nil
	case "skip":
		return r.need(31900, "network-lock skip")
	}
	return r.need(31700, "network-lock")
}

// openDirectories opens the directories for criu, which takes the numbers of the caller's
// own descriptors. It is called in the mount namespace that criu is going to have: criu
// mounts below the second.
func (r *criuRun) openDirectories() error {
	for _, d := range [...]struct {
		path string
		fd   **int32
	}{{r.images, &r.task.Opts.ImagesDirFd}, {r.work, &r.task.Opts.WorkDirFd}} {
		dir, err := os.OpenFile(d.path, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		r.files = append(r.files, dir)
		*d.fd = ptr(int32(dir.Fd()))
	}
	return nil
}

func (r *criuRun) close() error {
	var errs []error
	for _, f := range r.files {
		errs = append(errs, f.Close())
	}
	r.files = nil
	return errors.Join(errs...)
}

// run runs criu. Its own failures are explained by its log.
func (r *criuRun) run() error {
	err := r.task.Run()
	if errors.As(err, new(*criu.Refused)) || errors.Is(err, criu.ErrGone) {
		err = criu.Explain(err, r.log)
		if unprivileged() {
			err = fmt.Errorf("%w (for who is not root criu needs CAP_CHECKPOINT_RESTORE at least)", err)
		}
	}
	return err
}

// need refuses a criu that is older than version (31700 is 3.17): what it does not know
// of a request it ignores.
func (r *criuRun) need(version int, option string) error {
	is, err := criu.Version(r.task.Path)
	if err != nil || is >= version {
		return err
	}
	return fmt.Errorf("%s: needs criu %d.%d or newer, %s is %d.%d", option, version/10000, version/100%100,
		r.task.Path, is/10000, is/100%100)
}

// rpcOptions are the options in criu's words.
func rpcOptions(o *options.CRIU) (*rpc.CriuOpts, error) {
	const verbose = 4
	opts := &rpc.CriuOpts{
		LogLevel:       ptr(int32(verbose)),
		TcpEstablished: &o.TCPEstablished,
		ExtUnixSk:      &o.ExtUnixSk,
		ShellJob:       &o.ShellJob,
		FileLocks:      &o.FileLocks,
		LazyPages:      &o.LazyPages,
		AutoDedup:      &o.AutoDedup,
		LinkRemap:      &o.LinkRemap,
		// The device nodes that programs have open are those of the host's numbers,
		// whatever path leads to them.
		EvasiveDevices: ptr(true),
		// A terminal's other end is with the engine.
		OrphanPtsMaster: ptr(true),
	}
	mode, err := cgroupsMode(o.ManageCgroupsMode)
	if err != nil {
		return nil, err
	}
	opts.ManageCgroups, opts.ManageCgroupsMode = ptr(true), &mode
	if o.NetworkLock != "" {
		lock, err := networkLock(o.NetworkLock)
		if err != nil {
			return nil, err
		}
		opts.NetworkLock = &lock
	}
	if o.EmptyNetwork {
		opts.EmptyNs = ptr(uint32(unix.CLONE_NEWNET))
	}
	if s := o.PageServer; s != nil {
		opts.Ps = &rpc.CriuPageServerInfo{Address: &s.Address, Port: ptr(int32(s.Port))}
	}
	if os.Geteuid() != 0 {
		// It does what CAP_CHECKPOINT_RESTORE allows, and says what it lacks.
		opts.Unprivileged = ptr(true)
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

// criuConfig is the file with further options, nil for none. An empty annotation
// switches the usual ones off.
func criuConfig(annotations map[string]string) (*string, error) {
	if path, ok := annotations[configs.CriuConfigAnnotation]; ok {
		if path == "" {
			return nil, nil
		}
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("annotations[%q]: %w", configs.CriuConfigAnnotation, err)
		}
		return &path, nil
	}
	for _, path := range criuConfigFiles {
		if _, err := os.Stat(path); err == nil {
			return &path, nil
		}
	}
	return nil, nil
}

func ptr[T any](v T) *T { return &v }
