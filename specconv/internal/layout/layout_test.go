// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// object is a JSON object of a test.
type object map[string]any

// image is a layout that a test creates.
type image struct {
	t   *testing.T
	dir string
}

func newImage(t *testing.T) *image {
	i := &image{t, t.TempDir()}
	i.file("oci-layout", object{"imageLayoutVersion": "1.0.0"})
	return i
}

func (i *image) file(name string, content any) []byte {
	i.t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		i.t.Fatal(err)
	}
	path := filepath.Join(i.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		i.t.Fatal(err)
	}
	return text
}

// blob adds a blob and returns its descriptor.
func (i *image) blob(mediaType string, content any) object {
	i.t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		i.t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(text))
	i.file("blobs/sha256/"+sum, content)
	return object{"mediaType": mediaType, "digest": "sha256:" + sum, "size": len(text)}
}

// manifest adds an image whose configuration has the author.
func (i *image) manifest(author string) object {
	i.t.Helper()
	return i.blob(ociManifest, object{"config": i.blob(ociConfig, object{"author": author})})
}

func (i *image) index(entries ...object) { i.file("index.json", object{"manifests": entries}) }

// with returns a descriptor with one more member.
func (o object) with(key string, value any) object {
	all := maps.Clone(o)
	all[key] = value
	return all
}

func (o object) tag(name string) object {
	return o.with("annotations", object{tagAnnotation: name})
}

func (o object) platform(os, arch, variant string) object {
	return o.with("platform", object{"os": os, "architecture": arch, "variant": variant})
}

func (i *image) author(tag, want string) {
	i.t.Helper()
	got, err := Config(i.dir, tag, "amd64")
	if err != nil || got != `{"author":"`+want+`"}` {
		i.t.Errorf("tag %q: %q, %v, want %s", tag, got, err, want)
	}
}

func (i *image) fails(tag, want string) {
	i.t.Helper()
	got, err := Config(i.dir, tag, "amd64")
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), i.dir) {
		i.t.Errorf("tag %q: %q, %v, want %s", tag, got, err, want)
	}
}

func TestTags(t *testing.T) {
	i := newImage(t)
	i.index(i.manifest("one"))
	i.author("", "one")
	i.fails("x", `no image has the tag "x"; there are [""]`)

	i.index(i.manifest("one").tag("1"), i.manifest("two").tag("docker.io/two:latest"))
	i.author("1", "one")
	i.author("docker.io/two:latest", "two")
	i.fails("", `there are several images: name one of ["1" "docker.io/two:latest"]`)
	i.fails("3", `no image has the tag "3"`)
	i.index()
	i.fails("", "there is no image in it")
}

func TestPlatforms(t *testing.T) {
	i := newImage(t)
	arm, intel, v3 := i.manifest("arm").platform("linux", "arm64", "v8"), i.manifest("intel").platform("linux", "amd64", ""), i.manifest("v3").platform("linux", "amd64", "v3")
	windows, nothing := i.manifest("windows").platform("windows", "amd64", ""), i.manifest("attestation").platform("unknown", "unknown", "")
	i.index(nothing, arm, windows, v3, intel)
	i.author("", "intel")
	i.index(arm, v3)
	i.author("", "v3")
	i.index(arm, nothing)
	i.fails("", `no image is for linux/amd64; there are ["linux/arm64/v8" "unknown/unknown"]`)

	nested := i.blob(ociIndex, object{"manifests": []object{arm, intel}})
	i.index(nested.tag("all"), i.manifest("other").tag("other"))
	i.author("all", "intel")
	i.index(i.blob(dockerIndex, object{"manifests": []object{i.blob(dockerManifest, object{"config": i.blob(dockerConfig, object{"author": "docker"})})}}))
	i.author("", "docker")
	i.index(i.blob(ociIndex, object{}))
	i.fails("", "an index without manifests")
	for range maxIndexes {
		nested = i.blob(ociIndex, object{"manifests": []object{nested}})
	}
	i.index(nested)
	i.fails("", "more than 4 indexes")
}

func TestDamaged(t *testing.T) {
	i := newImage(t)
	m := i.manifest("one")
	path := func(o object) string {
		return filepath.Join(i.dir, "blobs/sha256", strings.TrimPrefix(o["digest"].(string), "sha256:"))
	}
	i.index(m.with("size", 1))
	i.fails("", "and its descriptor says 1")
	i.index(m.with("digest", "sha256:../../index.json"))
	i.fails("", "not 64 hexadecimal digits")
	i.index(m.with("mediaType", "text/plain"))
	i.fails("", `is of the media type "text/plain", and no image`)
	i.index(i.blob(ociManifest, object{"config": i.blob("application/x", object{})}))
	i.fails("", `config.mediaType: "application/x" is not that of an image`)
	i.index(i.blob(ociManifest, object{"config": "x"}))
	i.fails("", "config: expected an object")
	i.index(i.blob(ociIndex, object{"manifests": "x"}))
	i.fails("", "manifests: expected an array")

	i.index(m)
	text, err := os.ReadFile(path(m))
	if err != nil {
		t.Fatal(err)
	}
	text[0] = ' '
	if err := os.WriteFile(path(m), text, 0o600); err != nil {
		t.Fatal(err)
	}
	i.fails("", "the content is another one")
	if err := os.Remove(path(m)); err != nil {
		t.Fatal(err)
	}
	i.fails("", "no such file")
	if err := unix.Mkfifo(path(m), 0o600); err != nil {
		t.Fatal(err)
	}
	i.fails("", "not a regular file")
}

func TestNoLayout(t *testing.T) {
	i := &image{t, t.TempDir()}
	i.fails("", "not an OCI image layout: there is no file oci-layout")
	i.file("oci-layout", object{"imageLayoutVersion": "2.0.0"})
	i.fails("", `imageLayoutVersion: unknown version "2.0.0"`)
	i.file("oci-layout", "x")
	i.fails("", "oci-layout: ")
	i.file("oci-layout", object{"imageLayoutVersion": "1.0.0"})
	i.fails("", "index.json: no such file")
	i.file("index.json", "x")
	i.fails("", "index.json: ")
	if err := os.Truncate(filepath.Join(i.dir, "index.json"), maxDocument+1); err != nil {
		t.Fatal(err)
	}
	i.fails("", "more than 4 MiB")
}

// FuzzConfig: no index.json and no blob may cause a panic, and only the requested blob is
// accepted.
func FuzzConfig(f *testing.F) {
	f.Add(`{"manifests":[{"mediaType":"`+ociManifest+`","digest":"sha256:`+strings.Repeat("0", 64)+`","size":2,"platform":{"os":"linux","architecture":"amd64"}}]}`, "")
	f.Add(`{"manifests":[{"annotations":{"`+tagAnnotation+`":"a"}}]}`, "a")
	f.Fuzz(func(t *testing.T, index, tag string) {
		dir := t.TempDir()
		for name, text := range map[string]string{"oci-layout": `{"imageLayoutVersion":"1.0.0"}`, "index.json": index} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if config, err := Config(dir, tag, "amd64"); err == nil {
			t.Errorf("a configuration that no blob has: %q", config)
		}
	})
}
