// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
)

// processBuilder is a builder in a process of its own, for containers with a user
// namespace:
//
//	runtime                              builder process
//	init's program enters the namespaces, becomes root there,
//	execs this binary                →   RunBuilder
//	hello {job as a memfd, procfs}   →
//	{bind mount sources}*            →   job.mount
//	                                 ←   {copy a directory}*
//	{copied, error}                  →
//	                                 ←   {open a source}*
//	{source, error}                  →
//	                                 ←   {reach a file}*
//	{file, error}                    →
//	                                 ←   {warnings}* {mounted, error}
//	proceed                          →   job.enter
//	                                 ←   {home, error, pty, chroot, ruleset}
//
// It never joins the pid namespace, so that no process of the container can see it.
type processBuilder struct {
	site *site
	job  *buildJob
	builderProcess
	err error // of starting it
}

func startProcessBuilder(s *site, job *buildJob) *processBuilder {
	b := &processBuilder{site: s, job: job}
	b.err = b.start()
	return b
}

// start brings the process up and gives it its job.
func (b *processBuilder) start() error {
	inside, err := b.site.init.Namespaces()
	if err != nil {
		return b.site.describe(err)
	}
	b.site.within.files, inside.Namespaces = inside.Namespaces, nil
	defer inside.Close()
	defer func() {
		for _, f := range b.site.procContexts {
			_ = f.Close()
		}
	}()
	if err := b.site.entered(); err != nil {
		return err
	}
	if err := b.job.openTrees(b.site.init.PID, b.site.init.PIDFD); err != nil {
		return err
	}
	defer b.job.closeTrees()
	uid, gid := owner(b.site.config)
	b.builderProcess, err = startBuilderProcess(&nsenter.Options{
		Joins:    b.site.within.joins(builderNamespaces | configs.NewUser),
		OwnerUID: uid, OwnerGID: gid,
	}, b.site.config, isExposed(b.site.config))
	if err != nil {
		return err
	}
	return b.send(b.job, append(inside.ProcContexts, b.site.procContexts...), b.job.trees)
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
	b.abort()
	return res, err
}

// abort makes the builder process exit, and reaps it.
func (b *processBuilder) abort() {
	b.end()
	b.job.close()
}

// receive takes the next answer, passing warnings on.
func (b *processBuilder) receive() (*built, error) {
	r, files, err := b.answer(b.site.log, requests{
		copyUp: b.job.copyUp, source: b.serveSource, root: b.serveRoot, reach: b.serveReach,
	})
	if r == nil {
		return nil, err
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
	return out, err
}
