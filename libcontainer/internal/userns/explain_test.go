// SPDX-License-Identifier: Apache-2.0

package userns

import (
	"errors"
	"fmt"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// TestExplainMaps runs in a user namespace where all ids, or only root's, are mapped to
// themselves: the last id is never mapped.
func TestExplainMaps(t *testing.T) {
	cfg := &configs.Config{
		Namespaces:  configs.Namespaces{{Type: configs.NewUser}},
		UIDMappings: []configs.IDMap{{HostID: 0, Size: 1}},
		GIDMappings: []configs.IDMap{{HostID: 0, Size: 1}, {ContainerID: 1, HostID: 1<<32 - 2, Size: 1}},
	}
	eperm := fmt.Errorf("start init: %w", unix.EPERM)
	if got := ExplainMaps(eperm, cfg); got != eperm { //nolint:errorlint // the same error, unchanged
		t.Errorf("correct maps: %v", got)
	}
	cfg.GIDMappings[1].Size = 2
	got := ExplainMaps(eperm, cfg)
	const want = "linux.gidMappings[1]: start init: operation not permitted (the user namespace that berth runs in does not have all of the 2 host ids from 4294967294 on)"
	if got.Error() != want || !errors.Is(got, unix.EPERM) {
		t.Errorf("got  %v\nwant %s", got, want)
	}
	for _, err := range []error{nil, unix.EACCES} {
		if got := ExplainMaps(err, cfg); !errors.Is(got, err) || got != nil && got.Error() != err.Error() {
			t.Errorf("%v became %v", err, got)
		}
	}
	cfg.Namespaces = nil
	if got := ExplainMaps(eperm, cfg); got.Error() != eperm.Error() {
		t.Errorf("without a user namespace: %v", got)
	}
}

func TestInOneRow(t *testing.T) {
	m := []configs.IDMap{{ContainerID: 0, HostID: 500, Size: 1}, {ContainerID: 1, HostID: 1000, Size: 10}}
	for _, tc := range []struct {
		first, size uint32
		want        bool
	}{
		{0, 1, true},
		{0, 2, false},
		{1, 10, true},
		{5, 6, true},
		{5, 7, false},
		{11, 1, false},
		{1<<32 - 1, 1<<32 - 1, false},
	} {
		if got := inOneRow(m, tc.first, tc.size); got != tc.want {
			t.Errorf("%d ids from %d on: %v", tc.size, tc.first, got)
		}
	}
}
