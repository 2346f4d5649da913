// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-run/berth/tests/engines/image"
)

// registry serves images that it makes when it is asked for them, whatever registry they are
// asked from: what critest pulls from the net is not to be had in a room. An image of a
// repository is the same by all tags, and another one than those of other repositories.
type registry struct {
	address string
	mutex   sync.Mutex
	blobs   map[string][]byte
}

// startRegistry starts one on loopback, until the test ends.
func startRegistry(t *testing.T) *registry {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It takes no time.
	if err != nil {
		t.Fatal(err)
	}
	r := &registry{address: listener.Addr().String(), blobs: map[string][]byte{}}
	server := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return r
}

// helperEnv makes the test binary, as a program in an image, print its effective user.
const helperEnv = "BERTH_TEST_HELPER"

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"
)

// ServeHTTP answers as the OCI distribution specification says, as far as pulling needs it.
func (r *registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	parts := strings.Split(strings.TrimPrefix(request.URL.Path, "/v2/"), "/")
	if len(parts) < 3 {
		return
	}
	reference, kind, repository := parts[len(parts)-1], parts[len(parts)-2], path.Join(parts[:len(parts)-2]...)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	var content []byte
	switch {
	case kind == "manifests" && !strings.Contains(reference, ":"):
		var err error
		if content, err = r.manifest(repository); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	default:
		content = r.blobs[reference]
	}
	if content == nil {
		http.NotFound(w, request)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if kind == "manifests" {
		w.Header().Set("Content-Type", manifestType)
	}
	w.Header().Set("Docker-Content-Digest", image.Digest(content))
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if request.Method != http.MethodHead {
		_, _ = w.Write(content)
	}
}

// manifest returns that of the repository's image, whose parts become blobs.
func (r *registry) manifest(repository string) ([]byte, error) {
	l, config, err := imageOf(path.Base(repository))
	if err != nil {
		return nil, err
	}
	layer, err := l.Tar()
	if err != nil {
		return nil, err
	}
	description, err := image.Describe(layer, config)
	if err != nil {
		return nil, err
	}
	entry := func(kind string, content []byte) map[string]any {
		r.blobs[image.Digest(content)] = content
		return map[string]any{"mediaType": kind, "digest": image.Digest(content), "size": len(content)}
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": entry(configType, description), "layers": []any{entry(layerType, layer)},
	})
	r.blobs[image.Digest(manifest)] = manifest
	return manifest, err
}

// imageOf returns what the image of that name has to do in critest: serve on a port, have a user,
// or only exist. All have busybox.
func imageOf(name string) (*image.Layer, image.Config, error) {
	l, err := image.Busybox()
	if err != nil {
		return nil, image.Config{}, err
	}
	l.File("name", 0o644, []byte(name+"\n")).Directory("www", 0o755).Symlink("var/run", "/run").File("www/index.html", 0o644, []byte(name+"\n"))
	// Debian's busybox does not have these.
	l.File("bin/pgrep", 0o755, []byte("#!/bin/sh\nfor d in /proc/[0-9]*; do\n[ \"$(cat $d/comm)\" != \"$1\" ] || echo ${d#/proc/}\ndone\n"))
	l.File("bin/ipcs", 0o755, []byte("#!/bin/sh\ncat /proc/sysvipc/shm\n"))
	config := image.Config{Env: []string{"PATH=/bin"}, Cmd: []string{"sh"}}
	// nginx leaves a file with its pid, and its processes say what they are.
	l.File("bin/nginx", 0o755, []byte("#!/bin/sh\necho "+name+"\necho $$ >/run/nginx.pid\nhttpd -f -h /www -p $1 &\nwait\n"))
	serve := func(port string) []string { return []string{"/bin/nginx", port, "master process"} }
	switch name {
	case "nginx", "httpd":
		config.Cmd = serve("80")
	case "hostnet-nginx-amd64", "hostnet-nginx-arm64":
		config.Cmd = serve("12003")
	case "test-image-user-uid":
		config.User = "1002"
	case "test-image-user-username":
		config.User = "www-data"
	case "test-image-user-uid-group":
		config.User = "1003:1003"
	case "test-image-user-username-group":
		config.User = "www-data:www-data"
	case "test-image-predefined-group":
		config.User = "1000"
	case "nonewprivs":
		self, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			return nil, config, err
		}
		l.File("nnp", 0o4755, self)
		config.Entrypoint, config.Env = []string{"/nnp"}, append(config.Env, helperEnv+"=euid")
	case "pause", "sandbox":
		config.Cmd = []string{"sh", "-c", "trap exit TERM; tail -f /dev/null & wait"}
	}
	return l, config, nil
}
