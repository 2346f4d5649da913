// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"testing"

	"github.com/berth-run/berth/libcontainer/codec/codectest"
)

// TestStateJSON: the output is exactly what encoding/json would write with the struct's tags.
func TestStateJSON(t *testing.T) {
	full := new(State)
	codectest.Fill(full)
	for _, s := range []*State{full, {}, {Annotations: map[string]string{}}} {
		type plain State
		want, err := json.MarshalIndent((*plain)(s), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.MarshalIndent(s, "", "  ")
		if err != nil || string(got) != string(want) {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
}
