// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/codec"
	"github.com/berth-run/berth/libcontainer/codec/codectest"
	"github.com/berth-run/berth/libcontainer/internal/firstuse"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestStateFields(t *testing.T) {
	codectest.Fields(t, stateFields, "Owner")
	codectest.Fields(t, networkStatusFields)
}

// usualState is what most containers have.
func usualState() *State {
	return &State{
		Format: 1, ID: "i", OCIVersion: "1.3.0", Bundle: "/b", Rootfs: "/b/rootfs",
		Created:     time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC),
		Annotations: map[string]string{"a": "", "json": `{"a\\": ["\"]}`}, PID: 42, StartTime: 1<<64 - 1,
		CgroupPaths: map[string]string{"": "/c", "cpu,cpuacct": "/d"}, CgroupClaims: map[string]string{"": "77"},
		Resources:  json.RawMessage(`{"memory":{"limit":-1,"disableOOMKiller":false,"useHierarchy":true},"cpu":{"cpus":"0-1"},"unified":{"a":"1"}}`),
		Namespaces: 1 << 31, NoNewKeyring: true, Filtered: true, FilterFlags: 8,
	}
}

// TestOldState: states that earlier versions of berth have written with encoding/json are read.
func TestOldState(t *testing.T) {
	want := usualState()
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := codec.Read(string(data), stateFields)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

// TestEncodeResources fails if specs-go gets a new field that EncodeResources does not write.
func TestEncodeResources(t *testing.T) {
	full := new(specs.LinuxResources)
	codectest.Fill(full)
	full.Devices = nil
	for _, want := range []*specs.LinuxResources{
		full, {Memory: &specs.LinuxMemory{}}, {CPU: &specs.LinuxCPU{}, Pids: &specs.LinuxPids{}},
	} {
		data, got := EncodeResources(want), new(specs.LinuxResources)
		if err := json.Unmarshal(data, got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %s, %v\nwant %+v", data, err, want)
		}
	}
	if data := EncodeResources(&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{}}}); data != nil {
		t.Errorf("nothing is %s", data)
	}
}

// BenchmarkFirstUse measures what a command pays to read its state.
func BenchmarkFirstUse(b *testing.B) {
	data := codec.Write(usualState(), stateFields)
	firstuse.Compare(b, map[string]func() error{
		"fields": func() error {
			_, err := codec.Read(string(data), stateFields)
			return err
		},
		"json": func() error { return json.Unmarshal(data, new(State)) },
	})
}
