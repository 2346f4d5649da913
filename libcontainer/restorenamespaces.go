// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
)

// joinNamespaces tells criu which namespaces of the plan exist. Those that the checkpoint
// has left out are handed over; criu joins the others, in place of those in the images.
func (r *restoration) joinNamespaces() error {
	joins, err := openNamespaces(r.cfg.Namespaces)
	if err != nil {
		return err
	}
	for _, j := range joins {
		r.run.files = append(r.run.files, j.FD)
	}
	for _, j := range joins {
		if err := r.joinNamespace(j); err != nil {
			return fmt.Errorf("linux.namespaces: %w", err)
		}
	}
	return nil
}

func (r *restoration) joinNamespace(j nsenter.Join) error {
	opts := r.run.task.Opts
	kind := configs.NamespaceType(j.Type)
	if kind == configs.NewPID {
		if err := refuseTracers(j.FD); err != nil {
			return err
		}
	}
	for _, ns := range externalNamespaces {
		if ns.kind == kind {
			key := ns.key
			opts.InheritFd = append(opts.InheritFd, &rpc.InheritFd{Key: &key, Fd: ptr(r.run.task.Pass(j.FD))})
			return nil
		}
	}
	switch kind {
	case configs.NewIPC, configs.NewUTS, configs.NewTime, configs.NewUser:
		opts.JoinNs = append(opts.JoinNs, &rpc.JoinNamespace{
			Ns: ptr(kind.ProcName()), NsFile: ptr(fmt.Sprintf("/proc/self/fd/%d", r.run.task.Pass(j.FD))),
		})
		return nil
	}
	return fmt.Errorf("%s: criu cannot restore into an existing namespace of this type", kind)
}
