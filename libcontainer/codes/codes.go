// SPDX-License-Identifier: Apache-2.0

// Package codes has a short, stable word for each kind of error, which programs may rely on: the
// key "code" of the error in the JSON log. docs/errors.md lists them. A code is never given
// another meaning, and its text may change, unlike those that engines match.
//
// The code is attached where the error arises, and the innermost one counts.
package codes

// Code is a kind of error.
type Code string

// The kinds of errors. docs/errors.md says what each means (TestCodes).
const (
	Usage       Code = "usage"
	NeedsRoot   Code = "needs-root"
	Interrupted Code = "interrupted"
	Failed      Code = "failed"

	ConfigMissing Code = "config-missing"
	ConfigInvalid Code = "config-invalid"
	RootfsMissing Code = "rootfs-missing"

	IDInvalid          Code = "id-invalid"
	ContainerExists    Code = "container-exists"
	ContainerNotFound  Code = "container-not-found"
	ContainerStopped   Code = "container-stopped"
	ContainerRunning   Code = "container-running"
	ContainerPaused    Code = "container-paused"
	ContainerNotPaused Code = "container-not-paused"
	ContainerUnready   Code = "container-unready"
	StateInvalid       Code = "state-invalid"

	ExecNotFound    Code = "exec-not-found"
	ExecDenied      Code = "exec-denied"
	ExecInterpreter Code = "exec-interpreter-missing"
	ExecFormat      Code = "exec-format"
	ExecFailed      Code = "exec-failed"
	CwdFailed       Code = "cwd-failed"
	UserFailed      Code = "user-failed"
	RightsFailed    Code = "rights-failed"
	SeccompFailed   Code = "seccomp-failed"
	LabelFailed     Code = "label-failed"
	InitFailed      Code = "init-failed"
	InitDied        Code = "init-died"

	CgroupMissing   Code = "cgroup-missing"
	CgroupFailed    Code = "cgroup-failed"
	CgroupLimit     Code = "cgroup-limit"
	NamespaceFailed Code = "namespace-failed"
	NetworkFailed   Code = "network-failed"

	MountFailed      Code = "mount-failed"
	MountSource      Code = "mount-source-missing"
	DeviceFailed     Code = "device-failed"
	SysctlFailed     Code = "sysctl-failed"
	HookFailed       Code = "hook-failed"
	ConsoleFailed    Code = "console-failed"
	SocketFailed     Code = "socket-failed"
	PIDFileFailed    Code = "pid-file-failed"
	CheckpointFailed Code = "checkpoint-failed"
	RestoreFailed    Code = "restore-failed"
)

// Error is an error with a code. Its text is only that of the error.
type Error struct {
	code Code
	err  error
}

func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the error itself.
func (e *Error) Unwrap() error { return e.err }

// Code returns the code.
func (e *Error) Code() Code { return e.code }

// With attaches a code to an error. It returns nil for nil.
func With(code Code, err error) error {
	if err == nil {
		return nil
	}
	return &Error{code, err}
}

// Sentinel is an error that callers compare with, and its code.
type Sentinel struct {
	code Code
	text string
}

func (s *Sentinel) Error() string { return s.text }

// Code returns the code.
func (s *Sentinel) Code() Code { return s.code }

// New returns an error with a code.
func New(code Code, text string) error { return &Sentinel{code, text} }

// Of returns the code of an error: the innermost one, of the first error that has one. It is Failed
// if there is none.
func Of(err error) Code {
	if code := find(err); code != "" {
		return code
	}
	return Failed
}

func find(err error) Code {
	var inner Code
	switch err := err.(type) { //nolint:errorlint // the tree of errors itself is wanted
	case interface{ Unwrap() error }:
		inner = find(err.Unwrap())
	case interface{ Unwrap() []error }:
		for _, e := range err.Unwrap() {
			if inner = find(e); inner != "" {
				break
			}
		}
	}
	if inner != "" {
		return inner
	}
	if c, ok := err.(interface{ Code() Code }); ok {
		return c.Code()
	}
	return ""
}
