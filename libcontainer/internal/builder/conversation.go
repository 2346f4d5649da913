// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/rootfs/reach"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// Command is the name of the hidden command that runs Run. It is not for users.
const Command = "builder"

// builderProcess is this binary in the container's namespaces, as their root.
type builderProcess struct {
	conn *msgConn
	proc *nsenter.Init
}

// builderHello is the first message. Its file descriptors are the job, the procfs contexts and,
// for a Change, the pidfd of the container's init.
type builderHello struct {
	Live         bool `json:",omitempty"`
	ProcContexts int
	// Trees are the indices of the buildJob.trees that follow as file descriptors, in messages
	// of their own.
	Trees []int `json:",omitempty"`
}

// builderReply is a message from the builder process.
type builderReply struct {
	Error string `json:",omitempty"`
	// Code is the code of the error.
	Code codes.Code `json:",omitempty"`
	// Errno is the kernel's error, if Error comes from the kernel.
	Errno   unix.Errno `json:",omitempty"`
	Home    string     `json:",omitempty"`
	PTYName string     `json:",omitempty"`
	// CopyUp asks the runtime to copy the first of two directories to the second.
	CopyUp *copyRequest `json:",omitempty"`
	// Source asks the runtime to open the source of the mount with this index.
	Source *int `json:",omitempty"`
	// Root asks the runtime for something that needs the directory of the root file system.
	Root rootRequest `json:",omitempty"`
	// Reach asks the runtime for a file of the root file system, whose directory is sent along.
	Reach *reach.Request `json:",omitempty"`
	// Phases are for the trace. There is no answer.
	Phases []trace.Event `json:",omitempty"`
	// FDs names the file descriptors that come with the message, in order.
	FDs []string `json:",omitempty"`
}

// copyRequest is the request for a copy (rootfs.Options.CopyUp). The answer is a builderReply.
type copyRequest struct{ Owner bool }

// startBuilderProcess starts the process in the namespaces that the options join and create.
// For exposed see builderProgram.
func startBuilderProcess(o *nsenter.Options, cfg *configs.Config, exposed bool) (b builderProcess, err error) {
	program, err := builderProgram(cfg, exposed)
	if err != nil {
		return b, fmt.Errorf("start the builder: %w", err)
	}
	defer program.Close()
	ours, theirs, err := msgPair()
	if err != nil {
		return b, err
	}
	defer theirs.Close()
	b.conn = ours
	o.Stdio = [3]*os.File{nil, nil, os.Stderr}
	o.ExtraFiles = []*os.File{theirs}
	if err := b.exec(o, program); err != nil {
		b.end()
		return b, fmt.Errorf("start the builder: %w", err)
	}
	return b, nil
}

// exec makes init's program execute this binary.
func (b *builderProcess) exec(o *nsenter.Options, program *os.File) (err error) {
	if b.proc, err = nsenter.Start(o); err != nil {
		return err
	}
	const all = ^uint64(0)
	plan := &nsenter.Plan{
		Program: program, Args: []string{"berth", Command}, Cwd: "/",
		UID: o.OwnerUID, GID: o.OwnerGID,
		Bounding: all, Effective: all, Permitted: all,
	}
	if plan.UID != 0 {
		// An exec gives capabilities only to root, but preserves ambient ones.
		plan.Inheritable, plan.Ambient = all, all
	}
	if _, err := b.proc.Namespaces(); err != nil {
		return err
	}
	if err := b.proc.Configure(plan); err != nil {
		return err
	}
	return b.proc.Proceed()
}

// send sends the process its job, with the sources of bind mounts by the index of the mount. If
// there are files after the procfs contexts, the job is a Change.
func (b *builderProcess) send(job any, procContexts, trees []*os.File, live ...*os.File) error {
	data, err := json.Marshal(job)
	if err != nil {
		return err
	}
	file, err := sysfile.Memfile("berth-build-job", data)
	if err != nil {
		return err
	}
	defer file.Close()
	hello := &builderHello{Live: len(live) > 0, ProcContexts: len(procContexts)}
	var opened []*os.File
	for i, f := range trees {
		if f != nil {
			hello.Trees = append(hello.Trees, i)
			opened = append(opened, f)
		}
	}
	files := append(append([]*os.File{file}, procContexts...), live...)
	if err := b.conn.send(hello, files...); err != nil {
		return err
	}
	return b.conn.sendFiles(opened)
}

// rootRequest is one of the requests about root.path: see rootfs.Options.OpenRoot and
// PrivateParent.
type rootRequest string

const (
	openRoot      rootRequest = "open"
	privateParent rootRequest = "private parent"
)

// requests serve what a builder process asks for. A function is nil if the builder does not use
// it.
type requests struct {
	copyUp func(from, to *os.File, owner bool) error
	source func(index int) (*os.File, error)
	root   func(r rootRequest) (*os.File, error)
	reach  func(root *os.File, r *reach.Request) (*os.File, error)
	phases func(events []trace.Event)
}

// serve answers the request in r, if there is one.
func (q *requests) serve(conn *msgConn, r *builderReply, files []*os.File) (isRequest bool, err error) {
	var tree *os.File // the file to send
	switch {
	case len(r.Phases) > 0:
		q.phases(r.Phases)
		return true, nil
	case r.CopyUp != nil && len(files) == 2:
		err = q.copyUp(files[0], files[1], r.CopyUp.Owner)
		_, _ = files[0].Close(), files[1].Close()
	case r.Source != nil && q.source != nil:
		tree, err = q.source(*r.Source)
	case r.Root != "" && q.root != nil:
		tree, err = q.root(r.Root)
	case r.Reach != nil && q.reach != nil && len(files) == 1:
		tree, err = q.reach(files[0], r.Reach)
		_ = files[0].Close()
	default:
		return false, nil
	}
	if tree == nil {
		return true, conn.send(replyOf(err))
	}
	defer tree.Close()
	return true, conn.send(replyOf(err), tree)
}

// answer returns the next reply that is not a request; it serves those. If the process reports an
// error, there is a reply as well. The reply is nil if none has come.
func (b *builderProcess) answer(q requests) (*builderReply, []*os.File, error) {
	for {
		r := &builderReply{}
		files, err := b.conn.receive(r)
		var served bool
		if err == nil {
			served, err = q.serve(b.conn, r, files)
		}
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("builder process: %w", err)
		case served:
		case r.Error != "":
			return r, files, r.err()
		default:
			return r, files, nil
		}
	}
}

// end closes the connection, which makes the process exit, and reaps it.
func (b *builderProcess) end() {
	if b.conn != nil {
		b.conn.close()
		b.conn = nil
	}
	if b.proc != nil {
		_ = b.proc.Abort()
		_ = b.proc.Close()
		b.proc = nil
	}
}

// Run is the main function of a builder process. Its connection to the runtime is fd 3. It
// reports all errors there.
func Run() {
	const connFD = 3
	unix.CloseOnExec(connFD)
	// The connection also shows when the runtime has ended. PR_SET_PDEATHSIG would not help: it
	// watches the thread that started this process, and that thread may end at any time.
	serveBuild(&msgConn{os.NewFile(connFD, "runtime")})
}

// serveBuild does what the runtime asks for over the connection. From then on the calling
// goroutine has its thread to itself: the thread gets its own root and working directory, and
// moves between mount namespaces.
func serveBuild(conn *msgConn) {
	runtime.LockOSThread()
	defer conn.close()
	var hello builderHello
	files, err := conn.receive(&hello)
	if err != nil || len(files) < 1+hello.ProcContexts {
		return // the runtime is gone
	}
	job, contexts := files[0], files[1:1+hello.ProcContexts]
	if hello.Live {
		err := runLive(conn, job, hello.Trees, contexts, files[1+hello.ProcContexts:])
		_ = conn.send(replyOf(err))
		return
	}
	runBuild(conn, job, hello.Trees, contexts)
}

// askForCopy returns rootfs.Options.CopyUp for a builder process. The runtime makes the copy,
// because it has the right to start a process in the container's cgroup.
func askForCopy(conn *msgConn) func(from, to *os.File, owner bool) error {
	return func(from, to *os.File, owner bool) error {
		_, err := ask(conn, &builderReply{CopyUp: &copyRequest{Owner: owner}}, from, to)
		return err
	}
}

// ask sends a request of a builder process and returns the file that the runtime answers with,
// nil if it sends none.
func ask(conn *msgConn, request *builderReply, files ...*os.File) (*os.File, error) {
	if err := conn.send(request, files...); err != nil {
		return nil, err
	}
	var r builderReply
	got, err := conn.receive(&r)
	switch {
	case err != nil:
		return nil, err
	case r.Error != "":
		return nil, r.err()
	case len(got) == 0:
		return nil, nil
	}
	return got[0], nil
}

// askForDescriptor is ask for a request whose answer is a file.
func askForDescriptor(conn *msgConn, request *builderReply, files ...*os.File) (int, error) {
	f, err := ask(conn, request, files...)
	if err != nil {
		return -1, err
	}
	if f == nil {
		return -1, errors.New("the runtime has answered without a file")
	}
	defer f.Close()
	return sysfile.Dup(int(f.Fd()))
}

// askForSource returns rootfs.Options.OpenSource for a builder process.
func askForSource(conn *msgConn) func(index int) (*os.File, error) {
	return func(index int) (*os.File, error) {
		f, err := ask(conn, &builderReply{Source: &index})
		if err == nil && f == nil {
			err = fmt.Errorf("the runtime has sent no file for the source of mounts[%d]", index)
		}
		return f, err
	}
}

// askForReach returns rootfs.Options.Reach for a builder process.
func askForReach(conn *msgConn) func(root int, r *reach.Request) (int, error) {
	return func(root int, r *reach.Request) (int, error) {
		fd, err := sysfile.Dup(root)
		if err != nil {
			return -1, err
		}
		dir := os.NewFile(uintptr(fd), "root")
		defer dir.Close()
		if r.Kind == reach.Link {
			_, err := ask(conn, &builderReply{Reach: r}, dir)
			return -1, err
		}
		return askForDescriptor(conn, &builderReply{Reach: r}, dir)
	}
}

// runBuild carries out the two phases of a buildJob.
func runBuild(conn *msgConn, file *os.File, trees []int, contexts []*os.File) {
	job := &buildJob{copyUp: askForCopy(conn), openSource: askForSource(conn)}
	job.openRoot = func() (int, error) { return askForDescriptor(conn, &builderReply{Root: openRoot}) }
	job.privateParent = func() error { _, err := ask(conn, &builderReply{Root: privateParent}); return err }
	job.reach = askForReach(conn)
	err := readJob(file, job)
	if err == nil {
		defer job.close()
		job.traceInProcess()
		job.trees, err = receiveTrees(conn, trees, job.treeCount())
	}
	if err == nil {
		err = job.mount(contexts)
	}
	job.sendPhases(conn)
	if conn.send(replyOf(err)) != nil || err != nil {
		return
	}
	if _, err := conn.receive(&struct{}{}); err != nil {
		return
	}
	res, err := job.enter()
	job.sendPhases(conn)
	sendBuilt(conn, res, err)
}

func readJob(f *os.File, job any) error {
	defer f.Close()
	if err := json.NewDecoder(f).Decode(job); err != nil {
		return fmt.Errorf("builder: %w", err)
	}
	return nil
}

func replyOf(err error) *builderReply {
	r := &builderReply{}
	if err != nil {
		r.Error, r.Code = err.Error(), codes.Of(err)
		_ = errors.As(err, &r.Errno)
	}
	return r
}

// err returns the error in a reply, nil for none.
func (r *builderReply) err() error {
	switch {
	case r.Error == "":
		return nil
	case r.Errno == 0:
		return codes.New(r.Code, r.Error)
	}
	return codes.With(r.Code, &remoteError{r.Error, r.Errno})
}

// remoteError is an error that occurred in the other process.
type remoteError struct {
	text  string
	errno unix.Errno
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.errno }

// sendBuilt answers the second phase.
func sendBuilt(conn *msgConn, res *Built, err error) {
	r := replyOf(err)
	var files []*os.File
	if res != nil {
		r.Home, r.PTYName = res.Home, res.PtyName
		for _, f := range []struct {
			name string
			file *os.File
		}{{"chroot", res.Chroot}, {"master", res.Master}, {"peer", res.Peer}, {"ruleset", res.Ruleset}} {
			if f.file != nil {
				r.FDs = append(r.FDs, f.name)
				files = append(files, f.file)
			}
		}
	}
	_ = conn.send(r, files...)
}
