// SPDX-License-Identifier: Apache-2.0

package initproc

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/nsenter"
)

// StartOnLostThread starts init from a thread that dies afterwards, since it is in
// namespaces of others then.
func StartOnLostThread(o *nsenter.Options) (*nsenter.Init, error) {
	return onLostThread(func() (*nsenter.Init, error) { return nsenter.Start(o) })
}

// onLostThread runs start on a thread that dies afterwards.
func onLostThread(start func() (*nsenter.Init, error)) (*nsenter.Init, error) {
	type result struct {
		init *nsenter.Init
		err  error
	}
	done := make(chan result)
	osthread.Go(func() {
		init, err := start()
		done <- result{init, err}
	})
	r := <-done
	return r.init, r.err
}

// StartOnCPUs starts init from a thread that has taken the CPUs that the process is to
// begin on.
func StartOnCPUs(o *nsenter.Options, cpus configs.BitSet) (*nsenter.Init, error) {
	return onLostThread(func() (*nsenter.Init, error) {
		if err := attr.SetAffinity(0, cpus); err != nil {
			return nil, fmt.Errorf("process.execCPUAffinity.initial: %w", err)
		}
		return nsenter.Start(o)
	})
}
