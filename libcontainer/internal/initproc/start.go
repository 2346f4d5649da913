// SPDX-License-Identifier: Apache-2.0

package initproc

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/nsenter"
)

// StartOnNewThread starts init from a new thread that ends afterwards, because starting it
// moves the thread into other namespaces.
func StartOnNewThread(o *nsenter.Options) (*nsenter.Init, error) {
	return onNewThread(func() (*nsenter.Init, error) { return nsenter.Start(o) })
}

// onNewThread runs start on a thread that ends afterwards.
func onNewThread(start func() (*nsenter.Init, error)) (*nsenter.Init, error) {
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

// StartOnCPUs starts init from a thread that has moved to the CPUs on which the process is to
// begin.
func StartOnCPUs(o *nsenter.Options, cpus configs.BitSet) (*nsenter.Init, error) {
	return onNewThread(func() (*nsenter.Init, error) {
		if err := attr.SetAffinity(0, cpus); err != nil {
			return nil, fmt.Errorf("process.execCPUAffinity.initial: %w", err)
		}
		return nsenter.Start(o)
	})
}
