// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func idRow(container, host, size uint32) configs.IDMap {
	return configs.IDMap{ContainerID: container, HostID: host, Size: size}
}

func TestInlineIDMap(t *testing.T) {
	container := []configs.IDMap{idRow(0, 0, 1), idRow(1, 2, 1000)}
	for _, test := range []struct {
		value      string
		uids, gids []configs.IDMap
		err        string
	}{
		{
			value: "uids=0-1-10#10-11-10;gids=0-100-10",
			uids:  []configs.IDMap{idRow(0, 1, 10), idRow(10, 11, 10)}, gids: []configs.IDMap{idRow(0, 100, 10)},
		},
		// The example of crun(1).
		{value: "uids=@1-3-10;gids=0-0-1", uids: []configs.IDMap{idRow(1, 4, 10)}, gids: []configs.IDMap{idRow(0, 0, 1)}},
		{
			value: "gids=@0-0-1#5-5-2;uids=0-70-1#@5-5-1",
			uids:  []configs.IDMap{idRow(0, 70, 1), idRow(5, 6, 1)}, gids: []configs.IDMap{idRow(0, 0, 1), idRow(5, 6, 2)},
		},
		{value: "uids=0-1-10", err: "must have both"},
		{value: "", err: "neither uids= nor gids="},
		{value: "uids=0-0-1;gids=0-0-1;uids=0-0-1", err: "neither uids= nor gids="},
		{value: "uids=0-0;gids=0-0-1", err: `"0-0" is not FIRST-SECOND-SIZE`},
		{value: "uids=0-0-1-2;gids=0-0-1", err: "is not FIRST-SECOND-SIZE"},
		{value: "uids=0-x-1;gids=0-0-1", err: "is not FIRST-SECOND-SIZE"},
		{value: "uids=;gids=0-0-1", err: "is not FIRST-SECOND-SIZE"},
		{value: "uids=@0-0-2;gids=0-0-1", err: "no one row"},
		{value: "uids=@0-2000-1;gids=0-0-1", err: "no one row"},
		{value: "uids=0-0-0;gids=0-0-1", err: "must be at least 1"},
		{value: "uids=0-0-5#3-9-1;gids=0-0-1", err: "overlaps"},
		{value: "uids=4294967295-0-1;gids=0-0-1", err: "beyond the last id"},
	} {
		uids, gids, err := parseInlineIDMap(test.value, container, container)
		switch {
		case test.err != "":
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q: error %v, want %q", test.value, err, test.err)
			}
		case err != nil || !slices.Equal(uids, test.uids) || !slices.Equal(gids, test.gids):
			t.Errorf("%q: %v, %v, %v", test.value, uids, gids, err)
		}
	}
}

// The option is found among others, and is not passed to the file system.
func TestInlineIDMapOption(t *testing.T) {
	spec, o := example(), newBundle(t)
	spec.Mounts = append(spec.Mounts, specs.Mount{
		Destination: "/a", Type: "bind", Source: "/b",
		Options: []string{"rbind", "ridmap=uids=0-5-1;gids=0-6-1", "ro"},
	})
	plan, err := Convert(spec, &o.Options)
	if err != nil {
		t.Fatal(err)
	}
	m := plan.Mounts[len(plan.Mounts)-1]
	if m.IDMap != "ridmap" || len(m.Data) > 0 ||
		!slices.Equal(m.UIDMappings, []configs.IDMap{idRow(0, 5, 1)}) || !slices.Equal(m.GIDMappings, []configs.IDMap{idRow(0, 6, 1)}) {
		t.Errorf("%+v", m)
	}
	last := &spec.Mounts[len(spec.Mounts)-1]
	last.UIDMappings = []specs.LinuxIDMapping{{Size: 1}}
	last.GIDMappings = last.UIDMappings
	if _, err := Convert(spec, &o.Options); err == nil || !strings.Contains(err.Error(), "as well as uidMappings") {
		t.Errorf("maps twice: %v", err)
	}
}

func FuzzInlineIDMap(f *testing.F) {
	f.Add("uids=0-1-10#10-11-10;gids=@0-100-10")
	container := []configs.IDMap{idRow(0, 100000, 65536)}
	f.Fuzz(func(t *testing.T, value string) {
		uids, gids, err := parseInlineIDMap(value, container, container)
		if err != nil {
			return
		}
		for _, r := range slices.Concat(uids, gids) {
			if r.Size == 0 || r.ContainerID+r.Size < r.ContainerID || r.HostID+r.Size < r.HostID {
				t.Errorf("%q: row %v", value, r)
			}
		}
	})
}

// manyRows is a map of single ids, with the given distance from one to the next.
func manyRows(n, distance, host int) (rows []specs.LinuxIDMapping) {
	for i := range n {
		rows = append(rows, specs.LinuxIDMapping{ContainerID: uint32(i * distance), HostID: uint32(host + i*distance), Size: 1})
	}
	return rows
}

// TestLongIDMap: adjacent rows are merged if there are too many of them, and only then.
func TestLongIDMap(t *testing.T) {
	for _, test := range []struct {
		name string
		rows []specs.LinuxIDMapping
		want []configs.IDMap
	}{
		{"few", manyRows(2, 1, 100000), []configs.IDMap{idRow(0, 100000, 1), idRow(1, 100001, 1)}},
		{"too long", manyRows(339, 1, 100000), []configs.IDMap{idRow(0, 100000, 339)}},
		{"too many", manyRows(5000, 1, 100000), []configs.IDMap{idRow(0, 100000, 5000)}},
		{
			"in any order", append(append(manyRows(400, 1, 100000)[200:], specs.LinuxIDMapping{ContainerID: 1000, HostID: 7, Size: 5}), manyRows(200, 1, 100000)...),
			[]configs.IDMap{idRow(0, 100000, 400), idRow(1000, 7, 5)},
		},
	} {
		got, err := idMap("uidMappings", test.rows)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v", test.name, got, err)
		}
	}
}
