// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/checkpoint"
	"github.com/berth-run/berth/libcontainer/internal/create"
	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/berth-run/berth/nsenter"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
)

// JoinNamespaces tells criu which namespaces of the plan exist. Those that the checkpoint has
// left out are passed to criu. It joins the others in place of those in the images.
func (r *Restoration) JoinNamespaces() error {
	joins, err := create.OpenNamespaces(r.Cfg.Namespaces)
	if err != nil {
		return err
	}
	for _, j := range joins {
		r.run.Files = append(r.run.Files, j.FD)
	}
	for _, j := range joins {
		if err := r.joinNamespace(j); err != nil {
			return fmt.Errorf("linux.namespaces: %w", err)
		}
	}
	return nil
}

func (r *Restoration) joinNamespace(j nsenter.Join) error {
	opts := r.run.Task.Opts
	kind := configs.NamespaceType(j.Type)
	if kind == configs.NewPID {
		if err := refuseTracers(j.FD); err != nil {
			return err
		}
	}
	for _, ns := range checkpoint.ExternalNamespaces {
		if ns.Kind == kind {
			key := ns.Key
			opts.InheritFd = append(opts.InheritFd, &rpc.InheritFd{Key: &key, Fd: criu.Ptr(r.run.Task.Pass(j.FD))})
			return nil
		}
	}
	switch kind {
	case configs.NewIPC, configs.NewUTS, configs.NewTime, configs.NewUser:
		opts.JoinNs = append(opts.JoinNs, &rpc.JoinNamespace{
			Ns: criu.Ptr(kind.ProcName()), NsFile: criu.Ptr(fmt.Sprintf("/proc/self/fd/%d", r.run.Task.Pass(j.FD))),
		})
		return nil
	}
	return fmt.Errorf("%s: criu cannot restore into an existing namespace of this type", kind)
}
