// SPDX-License-Identifier: Apache-2.0

package initproc

import (
	"slices"
	"testing"

	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/nsenter"
)

func TestListenFDsInEnv(t *testing.T) {
	old := []string{"LISTEN_FDS=7", "A=1", "LISTEN_PID=8", "LISTEN_FDNAMES=a:b", "LISTEN_FDSX=y"}
	for _, test := range []struct {
		listen options.ListenFDs
		want   []string
	}{
		{options.ListenFDs{}, old},
		{options.ListenFDs{Count: 2, Names: "one:two"}, []string{"A=1", "LISTEN_FDSX=y", "LISTEN_FDS=2", "LISTEN_PID=", "LISTEN_FDNAMES=one:two"}},
		// Names of other sockets would be worse than none.
		{options.ListenFDs{Count: 1}, []string{"A=1", "LISTEN_FDSX=y", "LISTEN_FDS=1", "LISTEN_PID="}},
	} {
		p := &nsenter.Plan{Env: slices.Clone(old)}
		AddListenFDs(p, test.listen)
		if !slices.Equal(p.Env, test.want) || p.ListenPID != (test.listen.Count > 0) {
			t.Errorf("%+v: got %q, %v; want %q", test.listen, p.Env, p.ListenPID, test.want)
		}
	}
}
