// SPDX-License-Identifier: Apache-2.0

package userns

import (
	"slices"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
)

func row(container, host, size uint32) configs.IDMap {
	return configs.IDMap{ContainerID: container, HostID: host, Size: size}
}

func TestParseIDMap(t *testing.T) {
	for _, test := range []struct {
		text string
		want []configs.IDMap
		ok   bool
	}{
		{"", nil, true},
		{"         0          0 4294967295\n", []configs.IDMap{row(0, 0, 4294967295)}, true},
		{"0 100000 1000\n1000 5 1\n", []configs.IDMap{row(0, 100000, 1000), row(1000, 5, 1)}, true},
		{"0 1\n", nil, false},
		{"0 1 2 3\n", nil, false},
		{"0 1 4294967296\n", nil, false},
		{"0 -1 1\n", nil, false},
		{"\n", nil, false},
	} {
		got, err := parseMap([]byte(test.text))
		if (err == nil) != test.ok || (test.ok && !slices.Equal(got, test.want)) {
			t.Errorf("%q: %v, %v", test.text, got, err)
		}
	}
}

func FuzzParseIDMap(f *testing.F) {
	f.Add([]byte("0 100000 65536\n65536 7 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := parseMap(data)
		if err == nil && len(rows) > len(data) {
			t.Errorf("%d rows out of %d bytes", len(rows), len(data))
		}
		normalMap(rows)
	})
}

func TestNormalMap(t *testing.T) {
	same := []configs.IDMap{row(0, 100, 10), row(20, 50, 1)}
	for _, m := range [][]configs.IDMap{
		{row(20, 50, 1), row(0, 100, 10)},
		{row(5, 105, 5), row(20, 50, 1), row(0, 100, 5)},
	} {
		if got := normalMap(m); !slices.Equal(got, same) {
			t.Errorf("%v becomes %v", m, got)
		}
	}
	for _, m := range [][]configs.IDMap{
		{row(0, 100, 5), row(5, 106, 5)},
		{row(0, 100, 5), row(6, 105, 5)},
	} {
		if got := normalMap(m); !slices.Equal(got, m) {
			t.Errorf("%v becomes %v", m, got)
		}
	}
}

func TestOwner(t *testing.T) {
	for _, test := range []struct {
		uids, gids []configs.IDMap
		uid, gid   uint32
	}{
		{nil, nil, 0, 0},
		{[]configs.IDMap{row(0, 1000, 1)}, []configs.IDMap{row(0, 1000, 1)}, 0, 0},
		{[]configs.IDMap{row(7, 1000, 1)}, []configs.IDMap{row(0, 1000, 9)}, 7, 0},
		{[]configs.IDMap{row(5, 5, 5), row(0, 1000, 1)}, []configs.IDMap{row(8, 1000, 1)}, 0, 8},
	} {
		cfg := &configs.Config{UIDMappings: test.uids, GIDMappings: test.gids}
		cfg.Process.UID, cfg.Process.GID = 7, 8
		if uid, gid := Owner(cfg); uid != test.uid || gid != test.gid {
			t.Errorf("%v, %v: %d:%d, want %d:%d", test.uids, test.gids, uid, gid, test.uid, test.gid)
		}
	}
}
