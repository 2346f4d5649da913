// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"reflect"
	"testing"

	"github.com/berth-run/berth/libcontainer/codec/codectest"
)

func TestEveryField(t *testing.T) {
	codectest.Fields(t, imageFields)
	codectest.Fields(t, imageIndexFields)
	codectest.Fields(t, imageManifestFields)
	codectest.Fields(t, imageLayoutFields)
	codectest.Fields(t, networkFields)
	codectest.Fields(t, landlockFields)
}

func TestImage(t *testing.T) {
	got, err := ParseImage(`{"created":"2024-01-01T00:00:00Z","author":"a","architecture":"amd64","variant":"v3","os":"linux","os.version":"6","os.features":["x"],
	"config":{"User":"u:g","ExposedPorts":{"80/tcp":{},"53/udp":null},"Env":["A=b"],"Entrypoint":["/e"],"Cmd":["c"],"Volumes":{"/v":{}},
	"WorkingDir":"/w","Labels":{"k":"v"},"StopSignal":"SIGTERM"},"rootfs":{"type":"layers","diff_ids":["sha256:0"]},"history":[{"created_by":"x"}]}`)
	want := &Image{
		Created: "2024-01-01T00:00:00Z", Author: "a", Architecture: "amd64", Variant: "v3", OS: "linux", OSVersion: "6", OSFeatures: []string{"x"},
		Config: ImageConfig{
			User: "u:g", ExposedPorts: map[string]struct{}{"80/tcp": {}, "53/udp": {}}, Env: []string{"A=b"}, Entrypoint: []string{"/e"}, Cmd: []string{"c"},
			Volumes: map[string]struct{}{"/v": {}}, WorkingDir: "/w", Labels: map[string]string{"k": "v"}, StopSignal: "SIGTERM",
		},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

func TestNoImage(t *testing.T) {
	for _, document := range []string{"null", "[]", "", "7", `{"config":[]}`, `{"config":{"Volumes":["/v"]}}`} {
		if _, err := ParseImage(document); err == nil {
			t.Errorf("%q: no error", document)
		}
	}
}

func TestNetworkKeys(t *testing.T) {
	for document, want := range map[string]string{
		`{"version":1,"x":2}`:               "x",
		`{"Version":1}`:                     "Version",
		`{"resolv":null}`:                   "resolv",
		`{"resolv":{"servers":[1]}}`:        "resolv.servers[0]",
		`{"interfaces":[{"bridge":"b"},1]}`: "interfaces[1]",
		`{"interfaces":[{"MTU":7}]}`:        "interfaces[0].MTU",
	} {
		if _, field, err := ParseNetwork(document); err == nil || field != want {
			t.Errorf("%s: field %q, %v, want %s", document, field, err, want)
		}
	}
}
