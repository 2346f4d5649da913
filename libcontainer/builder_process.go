// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// BuilderCommand is the name of the hidden command that runs RunBuilder. It is not for
// users.
const BuilderCommand = "builder"

// processBuilder is a builder in a process of its own, for containers with a user
// namespace:
//
//	runtime                              builder process
//	init's program enters the namespaces, becomes root there,
//	execs this binary                →   RunBuilder
//	hello {job as a memfd, procfs}   →
//	{bind mount sources}*            →   job.mount
//	                                 ←   {warnings}* {mounted, error}
//	proceed                          →   job.enter
//	                                 ←   {home, error, pty, chroot, ruleset}
//
// It never joins the pid namespace, so that no process of the container can see it.
type processBuilder struct {
	cr   *creation
	job  *buildJob
	conn *msgConn
	proc *nsenter.Init
	err  error // of starting it
}

// builderHello is the first message; its fds are the job, then the procfs contexts.
type builderHello struct {
	ProcContexts int
	// Trees are the indices of the mounts whose sources follow, as file
	// descriptors of messages of their own.
	Trees []int `json:",omitempty"`
}

// builderReply is what the builder process says.
type builderReply struct {
	Warning string `json:",omitempty"`
	Error   string `json:",omitempty"`
	Home    string `json:",omitempty"`
	PTYName string `json:",omitempty"`
	// FDs names the file descriptors that come with the message, in their order.
	FDs []string `json:",omitempty"`
}

func startProcessBuilder(cr *creation, job *buildJob) *processBuilder {
	b := &processBuilder{cr: cr, job: job}
	b.err = b.start()
	return b
}

// start brings the process up and gives it its job.
func (b *processBuilder) start() error {
	inside, err := b.cr.init.Namespaces()
	if err != nil {
		return b.cr.describe(err)
	}
	b.cr.namespaces, inside.Namespaces = inside.Namespaces, nil
	defer inside.Close()
	if err := b.cr.checkJoinedMaps(); err != nil {
		return err
	}
	if err := b.job.openTrees(b.cr.init); err != nil {
		return err
	}
	defer b.job.close()
	ours, theirs, err := msgPair()
	if err != nil {
		return err
	}
	defer theirs.Close()
	b.conn = ours
	if err := b.exec(theirs); err != nil {
		return fmt.Errorf("start the builder: %w", err)
	}
	data, err := json.Marshal(b.job)
	if err != nil {
		return err
	}
	job, err := memfile("berth-build-job", data)
	if err != nil {
		return err
	}
	defer job.Close()
	hello := &builderHello{ProcContexts: len(inside.ProcContexts)}
	var trees []*os.File
	for i, f := range b.job.trees {
		if f != nil {
			hello.Trees = append(hello.Trees, i)
			trees = append(trees, f)
		}
	}
	if err := b.conn.send(hello, append([]*os.File{job}, inside.ProcContexts...)...); err != nil {
		return err
	}
	return b.conn.sendFiles(trees)
}

// exec starts this binary inside the namespaces, as their root.
func (b *processBuilder) exec(sock *os.File) error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	uid, gid := owner(b.cr.cfg)
	b.proc, err = nsenter.Start(&nsenter.Options{
		Stdio:      [3]*os.File{nil, nil, os.Stderr},
		ExtraFiles: []*os.File{sock},
		Joins:      b.cr.initJoins(builderNamespaces | configs.NewUser),
		OwnerUID:   uid, OwnerGID: gid,
	})
	if err != nil {
		return err
	}
	const all = ^uint64(0)
	plan := &nsenter.Plan{
		Program: self, Args: []string{"berth", BuilderCommand}, Cwd: "/",
		UID: uid, GID: gid,
		Bounding: all, Effective: all, Permitted: all,
	}
	if plan.UID != 0 {
		// An exec gives capabilities to root alone, but leaves ambient ones.
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

func (b *processBuilder) waitMounted() error {
	if b.err != nil {
		return b.err
	}
	_, err := b.receive()
	return err
}

func (b *processBuilder) finish() (*built, error) {
	if err := b.conn.send(struct{}{}); err != nil {
		return nil, err
	}
	res, err := b.receive()
	b.end()
	return res, err
}

// abort closes the connection, which makes the builder process exit, and reaps it.
func (b *processBuilder) abort() { b.end() }

func (b *processBuilder) end() {
	if b.conn != nil {
		b.conn.close()
	}
	if b.proc != nil {
		_ = b.proc.Abort()
		b.proc = nil
	}
}

// receive takes the next answer, passing warnings on.
func (b *processBuilder) receive() (*built, error) {
	for {
		var r builderReply
		files, err := b.conn.receive(&r)
		if err != nil {
			return nil, fmt.Errorf("builder process: %w", err)
		}
		if r.Warning != "" {
			b.cr.opts.Log.Warnf("%s", r.Warning)
			continue
		}
		out := &built{home: r.Home, ptyName: r.PTYName}
		for i, name := range r.FDs {
			if i >= len(files) {
				break
			}
			switch name {
			case "chroot":
				out.chroot = files[i]
			case "master":
				out.master = files[i]
			case "peer":
				out.peer = files[i]
			case "ruleset":
				out.ruleset = files[i]
			}
		}
		if r.Error != "" {
			return out, errors.New(r.Error)
		}
		return out, nil
	}
}

// RunBuilder is the life of a builder process; its connection to the runtime is fd 3.
// It never returns an error that was not told there.
func RunBuilder() {
	const connFD = 3
	unix.CloseOnExec(connFD)
	conn := &msgConn{os.NewFile(connFD, "runtime")}
	defer conn.close()
	var hello builderHello
	files, err := conn.receive(&hello)
	if err != nil || len(files) != 1+hello.ProcContexts {
		return // the runtime is gone
	}
	job, err := readJob(files[0])
	if err == nil {
		defer job.close()
		err = job.receiveTrees(conn, hello.Trees)
	}
	if err == nil {
		err = job.mount(files[1:], func(format string, args ...any) {
			_ = conn.send(&builderReply{Warning: fmt.Sprintf(format, args...)})
		})
	}
	if conn.send(replyOf(err)) != nil || err != nil {
		return
	}
	if _, err := conn.receive(&struct{}{}); err != nil {
		return
	}
	res, err := job.enter()
	sendBuilt(conn, res, err)
}

func readJob(f *os.File) (*buildJob, error) {
	job := &buildJob{}
	defer f.Close()
	if err := json.NewDecoder(f).Decode(job); err != nil {
		return nil, fmt.Errorf("builder: %w", err)
	}
	return job, nil
}

func replyOf(err error) *builderReply {
	if err != nil {
		return &builderReply{Error: err.Error()}
	}
	return &builderReply{}
}

// sendBuilt answers the second phase.
func sendBuilt(conn *msgConn, res *built, err error) {
	r := replyOf(err)
	var files []*os.File
	if res != nil {
		r.Home, r.PTYName = res.home, res.ptyName
		for _, f := range []struct {
			name string
			file *os.File
		}{{"chroot", res.chroot}, {"master", res.master}, {"peer", res.peer}, {"ruleset", res.ruleset}} {
			if f.file != nil {
				r.FDs = append(r.FDs, f.name)
				files = append(files, f.file)
			}
		}
	}
	_ = conn.send(r, files...)
}
