// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"
	"slices"
	"testing"
)

func TestListenFDsInEnv(t *testing.T) {
	old := []string{"LISTEN_FDS=7", "A=1", "LISTEN_PID=8", "LISTEN_FDNAMES=a:b", "LISTEN_FDSX=y"}
	for _, test := range []struct {
		listen ListenFDs
		want   []string
	}{
		{ListenFDs{}, old},
		{ListenFDs{Count: 2, Names: "one:two"}, []string{"A=1", "LISTEN_FDSX=y", "LISTEN_FDS=2", "LISTEN_PID=5", "LISTEN_FDNAMES=one:two"}},
		// Names of other sockets would be worse than none.
		{ListenFDs{Count: 1}, []string{"A=1", "LISTEN_FDSX=y", "LISTEN_FDS=1", "LISTEN_PID=5"}},
	} {
		if got := test.listen.addTo(slices.Clone(old), 5); !slices.Equal(got, test.want) {
			t.Errorf("%+v: got %q, want %q", test.listen, got, test.want)
		}
	}
}

func TestInnerPID(t *testing.T) {
	if pid, err := innerPID(os.Getpid()); err != nil || pid != os.Getpid() {
		t.Errorf("own pid: %d, %v", pid, err)
	}
	if pid, err := innerPID(1 << 30); err == nil {
		t.Errorf("pid %d of nobody", pid)
	}
}
