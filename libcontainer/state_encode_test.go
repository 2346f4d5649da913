// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Every field is set here: a new one that encode forgets makes the test fail.
func fullState() savedState {
	timeout, domain := 7, uint32(8)
	hook := specs.Hook{Path: "/h", Args: []string{"h", "<&>"}, Env: []string{"A=b"}, Timeout: &timeout}
	return savedState{
		Format: 1, ID: "i", OCIVersion: "1.3.0", Bundle: "/b \"\\\x01\t\n\x7f é\u2028", Rootfs: "/r",
		Created:     time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC),
		Annotations: map[string]string{"b": "2", "a\n": "1", "": "empty"},
		PID:         42, StartTime: 1<<64 - 1, SharedPID: true,
		CgroupPlan: map[string]string{"": "/sys/fs/cgroup/x"}, CgroupClaims: map[string]string{"": "77 found"}, CgroupPaths: map[string]string{"": "/c", "cpu": "/d"}, CgroupRootless: true,
		Resources:  json.RawMessage(`{"pids":{"limit":7}}`),
		Namespaces: 1 << 29, JoinedNamespaces: 1 << 30, NoNewKeyring: true, Personality: &domain,
		RootfsPropagation: 1 << 18, MountLabel: "l:s0", RootMount: "mounts[1]",
		MemoryPolicy: &configs.MemoryPolicy{Mode: 2, Flags: 1 << 14, Nodes: configs.BitSet{5, 1 << 63}},
		Filtered:     true, FilterFlags: 8, ListenerPath: "/l", ListenerMetadata: "m\"",
		CgroupSubgroup: "s/d", SystemdUnit: "u.scope", SystemdUser: 7,
		ResctrlGroups: []string{"/g/mon_groups/\"i", "/g"}, ResctrlDir: "/g",
		Network: []savedInterface{
			{Name: "eth0", MAC: "02:00:00:00:00:01", Addresses: []string{"10.0.0.2/24", "fd00::2/64"}, Bridge: "br0", HostName: "bt0", HostMAC: "fe:00:00:00:00:01"},
			{Name: "eth1", MAC: "02:00:00:00:00:02", Bridge: "br1", HostName: "bt1", HostMAC: "fe:00:00:00:00:02"},
		},
		RootfsMountID: 9, Poststart: []specs.Hook{hook}, Poststop: []specs.Hook{hook, hook},
		HookStdout: "/o", HookStderr: "/e",
	}
}

func TestEncodeAgreesWithEncodingJSON(t *testing.T) {
	full := fullState()
	for i := range reflect.ValueOf(full).NumField() {
		if reflect.TypeOf(full).Field(i).IsExported() && reflect.ValueOf(full).Field(i).IsZero() {
			t.Fatalf("the sample does not set %s", reflect.TypeOf(full).Field(i).Name)
		}
	}
	for _, want := range []savedState{full, {Created: time.Unix(0, 0).UTC()}} {
		data, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		var got savedState
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

func FuzzJSONString(f *testing.F) {
	f.Add("plain \"\\\x00\xff\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		reference, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var got, want string
		if err := json.Unmarshal(appendJSONString(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if err := json.Unmarshal(reference, &want); err != nil || got != want {
			t.Errorf("%q: got %q, want %q, %v", s, got, want, err)
		}
	})
}
