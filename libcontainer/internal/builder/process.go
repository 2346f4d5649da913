// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/nsenter"
)

// processBuilder is a builder in a process of its own, for containers with a user
// namespace:
//
//	runtime                              builder process
//	init's program enters the namespaces, becomes root there,
//	execs this binary                →   Run
//	hello {job as a memfd, procfs}   →
//	{bind mount sources}*            →   job.mount
//	                                 ←   {copy a directory}*
//	{copied, error}                  →
//	                                 ←   {open a source}*
//	{source, error}                  →
//	                                 ←   {reach a file}*
//	{file, error}                    →
//	                                 ←   {mounted, error}
//	proceed                          →   job.enter
//	                                 ←   {home, error, pty, chroot, ruleset}
//
// It never joins the pid namespace, so no process of the container can see it.
type processBuilder struct {
	site *Site
	job  *buildJob
	builderProcess
	err error // of starting it
}

func startProcessBuilder(s *Site, job *buildJob) *processBuilder {
	b := &processBuilder{site: s, job: job}
	b.err = b.start()
	return b
}

// start starts the process and sends it its job.
func (b *processBuilder) start() error {
	inside, err := b.site.Init.Namespaces()
	if err != nil {
		return b.site.Describe(err)
	}
	b.site.Within.files, inside.Namespaces = inside.Namespaces, nil
	defer inside.Close()
	defer func() {
		for _, f := range b.site.ProcContexts {
			_ = f.Close()
		}
	}()
	if err := b.site.Entered(); err != nil {
		return err
	}
	if err := b.job.openTrees(b.site.Init.PID, b.site.Init.PIDFD); err != nil {
		return err
	}
	defer b.job.closeTrees()
	uid, gid := userns.Owner(b.site.Config)
	b.builderProcess, err = startBuilderProcess(&nsenter.Options{
		Joins:    b.site.Within.Joins(Kinds | configs.NewUser),
		OwnerUID: uid, OwnerGID: gid,
		Track: b.job.track,
	}, b.site.Config, isExposed(b.site.Config))
	if err != nil {
		return err
	}
	return b.send(b.job, append(inside.ProcContexts, b.site.ProcContexts...), b.job.trees)
}

func (b *processBuilder) Mount() error {
	if b.err != nil {
		return b.err
	}
	_, err := b.receive()
	return err
}

func (b *processBuilder) Finish() (*Built, error) {
	defer b.Abort()
	if err := b.conn.send(struct{}{}); err != nil {
		return nil, fmt.Errorf("builder process: %w", err)
	}
	return b.receive()
}

// Abort makes the builder process exit, and reaps it.
func (b *processBuilder) Abort() {
	b.end()
	b.job.close()
}

// receive takes the next answer.
func (b *processBuilder) receive() (*Built, error) {
	r, files, err := b.answer(requests{
		copyUp: b.job.copyUp, source: b.serveSource, root: b.serveRoot, reach: b.serveReach,
		phases: b.job.track.Add,
	})
	if r == nil {
		return nil, err
	}
	out := &Built{Home: r.Home, PtyName: r.PTYName}
	for i, name := range r.FDs {
		if i >= len(files) {
			break
		}
		switch name {
		case "chroot":
			out.Chroot = files[i]
		case "master":
			out.Master = files[i]
		case "peer":
			out.Peer = files[i]
		case "ruleset":
			out.Ruleset = files[i]
		}
	}
	return out, err
}
