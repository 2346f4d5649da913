// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// usualState is what most containers have.
func usualState() savedState {
	return savedState{
		Format: 1, ID: "i", OCIVersion: "1.3.0", Bundle: "/b é", Rootfs: "/b/rootfs",
		Created:     time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC),
		Annotations: map[string]string{"a": "", "b": "2", "json": `{"a\\": ["\"]}`, `"`: `\`}, PID: 42, StartTime: 1<<64 - 1,
		SharedPID: true, CgroupPaths: map[string]string{"": "/c", "cpu,cpuacct": "/d"}, CgroupRootless: true,
		Resources:  json.RawMessage(`{"memory":{"limit":-1,"disableOOMKiller":false,"useHierarchy":true},"cpu":{"cpus":"0-1"},"unified":{"a":"1"}}`),
		Namespaces: 1 << 31, JoinedNamespaces: 1 << 30, NoNewKeyring: true, Filtered: true, FilterFlags: 8,
		Network: fullState().Network,
	}
}

func TestDecodeState(t *testing.T) {
	for name, want := range map[string]savedState{"usual": usualState(), "full": fullState()} {
		data, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		var got savedState
		if err := decodeState(data, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got  %+v, %v\nwant %+v", name, got, err, want)
		}
		// Otherwise this would only have tested encoding/json.
		r := stateReader{text: string(data)}
		if quick := r.state(new(savedState)); quick != (name == "usual") {
			t.Errorf("%s: read by hand: %v", name, quick)
		}
	}
}

// Whatever is read by hand is what encoding/json would have made of it.
func FuzzDecodeState(f *testing.F) {
	for _, st := range []savedState{usualState(), fullState(), {}} {
		data, err := st.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"pid":01,"id":"x"}`))
	f.Add([]byte(`{"created":"2026-01-02T03:04:05+01:00","pid":18446744073709551615}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := stateReader{text: string(data)}
		var got, want savedState
		if !r.state(&got) {
			return
		}
		if !json.Valid(data) {
			// Control characters in a string, or bytes that are not UTF-8: encode
			// writes neither.
			t.Skip()
		}
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		again, err := got.encode()
		if err != nil {
			t.Fatal(err)
		}
		reference, err := want.encode()
		if err != nil || string(again) != string(reference) {
			t.Errorf("%s:\ngot  %s\nwant %s", data, again, reference)
		}
	})
}

func BenchmarkReadState(b *testing.B) {
	st := usualState()
	data, err := st.encode()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := decodeState(data, new(savedState)); err != nil {
			b.Fatal(err)
		}
	}
}
