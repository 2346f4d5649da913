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

// TestOldState: what berth wrote with encoding/json, and earlier by hand, is read.
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

// BenchmarkFirstUse is what a command pays for the state that it reads.
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
