// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// sameAsJSON holds a parser to encoding/json.
func sameAsJSON[T any](t *testing.T, document string, parse func(string) (*T, error)) {
	t.Helper()
	if strings.TrimSpace(document) == "null" {
		return
	}
	got, err := parse(document)
	want := new(T)
	wantErr := json.Unmarshal([]byte(document), want)
	if wantErr == nil && isNoText(err) {
		return
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%T: error is %v, of encoding/json %v", got, err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%T: differs from encoding/json:\n got %+v\nwant %+v", got, *got, *want)
	}
}

func compareImages(t *testing.T, document string) {
	t.Helper()
	sameAsJSON(t, document, ParseImage)
	sameAsJSON(t, document, ParseImageIndex)
	sameAsJSON(t, document, ParseImageManifest)
	sameAsJSON(t, document, ParseImageLayout)
}

// images are documents as tools write them, and odd ones.
var images = []string{
	`{"created":"2024-01-01T00:00:00Z","author":"a","architecture":"amd64","variant":"v3","os":"linux","os.version":"6","os.features":["x"],
	"config":{"User":"u:g","ExposedPorts":{"80/tcp":{},"53/udp":null},"Env":["A=b"],"Entrypoint":["/e"],"Cmd":["c"],"Volumes":{"/v":{}},
	"WorkingDir":"/w","Labels":{"k":"v"},"StopSignal":"SIGTERM"},"rootfs":{"type":"layers","diff_ids":["sha256:0"]},"history":[{"created_by":"x"}]}`,
	`{"config":null,"os":null,"architecture":"arm64"}`,
	`{"config":{"Volumes":null,"Env":null,"Labels":null,"Cmd":[]}}`,
	`{"config":{"Volumes":["/v"]}}`, `{"config":{"ExposedPorts":{"80":1}}}`, `{"config":{"Volumes":{"/v":{"a":[1]}}}}`, `{"config":[]}`, `{"Config":{"user":"x"}}`,
	`{"manifests":[{"mediaType":"m","digest":"sha256:0","size":7,"annotations":{"a":"b"},"platform":{"os":"linux","architecture":"amd64","variant":"v1","x":1}},{"platform":null}]}`,
	`{"manifests":[{"size":"7"}]}`, `{"manifests":[{"size":9223372036854775808}]}`,
	`{"schemaVersion":2,"config":{"mediaType":"m","digest":"d","size":-1}}`,
	`{"imageLayoutVersion":"1.0.0"}`, `{"imageLayoutVersion":1}`,
}

func TestImagesSameAsEncodingJSON(t *testing.T) {
	for _, document := range append(images, strange...) {
		compareImages(t, document)
	}
}

func FuzzImage(f *testing.F) {
	for _, document := range images {
		f.Add(document)
	}
	f.Fuzz(compareImages)
}

func TestNoImage(t *testing.T) {
	for _, document := range []string{"null", "[]", "", "7"} {
		if _, err := ParseImage(document); err == nil {
			t.Errorf("%q: no error", document)
		}
	}
}
