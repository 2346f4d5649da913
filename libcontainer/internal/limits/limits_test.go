// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/berth-run/berth/libcontainer/codec/codectest"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// resources reads a document.
func resources(t testing.TB, document string) *specs.LinuxResources {
	t.Helper()
	r := new(specs.LinuxResources)
	if err := json.Unmarshal([]byte(document), r); err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return r
}

func TestUpdateMerges(t *testing.T) {
	for _, test := range []struct {
		name, stored, update string
		// change is the update of the cgroup, and merged the new stored limits.
		change, merged string
	}{
		{
			"zeros", `{"memory":{"limit":7},"cpu":{"shares":3},"pids":{"limit":5}}`,
			`{"memory":{"limit":0,"swap":0},"cpu":{"shares":0,"quota":0},"pids":{}}`,
			`{"memory":{"limit":0,"swap":0},"cpu":{"shares":0,"quota":0}}`,
			`{"memory":{"limit":7},"cpu":{"shares":3},"pids":{"limit":5}}`,
		},
		{"no more tasks", `{"pids":{"limit":5}}`, `{"pids":{"limit":0}}`, `{"pids":{"limit":0}}`, `{"pids":{"limit":0}}`},
		{"quota", `{"cpu":{"quota":1,"period":2}}`, `{"cpu":{"quota":9}}`, `{"cpu":{"quota":9,"period":2}}`, `{"cpu":{"quota":9,"period":2}}`},
		{"period", `{"cpu":{"quota":1,"period":2}}`, `{"cpu":{"period":9}}`, `{"cpu":{"quota":1,"period":9}}`, `{"cpu":{"quota":1,"period":9}}`},
		{"first quota", `{}`, `{"cpu":{"quota":9}}`, `{"cpu":{"quota":9}}`, `{"cpu":{"quota":9}}`},
		{"no limit", `{"memory":{"limit":1,"swap":2}}`, `{"memory":{"limit":-1}}`, `{"memory":{"limit":-1,"swap":-1}}`, `{"memory":{"limit":-1,"swap":-1}}`},
		{"swap of no limit", `{}`, `{"memory":{"limit":-1,"swap":8}}`, `{"memory":{"limit":-1,"swap":8}}`, `{"memory":{"limit":-1,"swap":8}}`},
		{"limit", `{"memory":{"limit":1,"swap":2}}`, `{"memory":{"limit":2}}`, `{"memory":{"limit":2,"swap":2}}`, `{"memory":{"limit":2,"swap":2}}`},
		{"swap", `{"memory":{"limit":1,"swap":2}}`, `{"memory":{"swap":9}}`, `{"memory":{"limit":1,"swap":9}}`, `{"memory":{"limit":1,"swap":9}}`},
		{"idle", `{"cpu":{"shares":3}}`, `{"cpu":{"idle":1}}`, `{"cpu":{"idle":1}}`, `{"cpu":{"idle":1}}`},
		{"idle and shares", `{"cpu":{"shares":3}}`, `{"cpu":{"idle":0,"shares":4}}`, `{"cpu":{"idle":0,"shares":4}}`, `{"cpu":{"idle":0,"shares":4}}`},
		{"devices", `{}`, `{"devices":[{"allow":true,"access":"rwm"}],"pids":{"limit":-1}}`, `{"pids":{"limit":-1}}`, `{"pids":{"limit":-1}}`},
		{
			"by device", `{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1},{"major":8,"minor":1,"rate":2}]}}`,
			`{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":1,"rate":9},{"major":7,"minor":1,"rate":3}]}}`,
			`{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":1,"rate":9},{"major":7,"minor":1,"rate":3}]}}`,
			`{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1},{"major":8,"minor":1,"rate":9},{"major":7,"minor":1,"rate":3}]}}`,
		},
		{
			"maps", `{"unified":{"a":"1","b":"2"}}`, `{"unified":{"b":"3"},"hugepageLimits":[{"pageSize":"2MB","limit":0}]}`,
			`{"unified":{"b":"3"},"hugepageLimits":[{"pageSize":"2MB","limit":0}]}`, `{"unified":{"a":"1","b":"3"},"hugepageLimits":[{"pageSize":"2MB","limit":0}]}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			stored := resources(t, test.stored)
			change := Complete(stored, resources(t, test.update))
			if want := resources(t, test.change); !reflect.DeepEqual(change, want) {
				t.Errorf("writes %s, want %s", marshal(t, change), test.change)
			}
			Merge(stored, change)
			if want := resources(t, test.merged); !reflect.DeepEqual(stored, want) {
				t.Errorf("stores %s, want %s", marshal(t, stored), test.merged)
			}
		})
	}
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestUpdateIsRemembered fails if specs-go gets a new field that Merge does not copy.
func TestUpdateIsRemembered(t *testing.T) {
	want := new(specs.LinuxResources)
	codectest.Fill(want)
	stored := new(specs.LinuxResources)
	Merge(stored, want)
	want.Devices = nil
	// No supported kernel has these limits.
	want.Memory.Kernel, want.Memory.UseHierarchy = nil, nil
	if !reflect.DeepEqual(stored, want) {
		t.Errorf("got  %s\nwant %s", marshal(t, stored), marshal(t, want))
	}
}
