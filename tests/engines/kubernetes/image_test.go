// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/berth-run/berth/tests/engines/image"
)

// The images of the tests. There is no registry: each node imports them, and their tags keep
// kubelet from pulling. Both busyboxes are the same, for a rolling update.
const (
	busybox  = "test.local/busybox:1"
	busybox2 = "test.local/busybox:2"
	data     = "test.local/data:1"
)

// made is an image that the nodes get.
type made struct {
	name   string
	layer  *image.Layer
	config image.Config
}

// makeImages writes them to the directory, and returns their paths.
func makeImages(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	guest, err := os.ReadFile(filepath.Join(suite.staged, "guest"))
	if err != nil {
		return nil, err
	}
	box, err := image.Busybox()
	if err != nil {
		return nil, err
	}
	box.File("guest", 0o755, guest).File("nnp", 0o4755, guest)
	content := image.NewLayer().Directory("sub", 0o755).File("sub/file", 0o644, []byte("from an image\n")).
		File("program", 0o755, guest)
	images := []made{
		{"test.local/pause:1", image.NewLayer().File("guest", 0o755, guest), image.Config{Entrypoint: []string{"/guest", "pause"}}},
		{busybox, box, image.Config{Env: []string{"PATH=/bin"}}},
		{busybox2, box, image.Config{Env: []string{"PATH=/bin"}}},
		{data, content, image.Config{}},
	}
	if tree := os.Getenv("E2E"); tree != "" {
		more, err := imagesOfTests(tree, box)
		if err != nil {
			return nil, err
		}
		images = append(images, more...)
	}
	var paths []string
	for _, m := range images {
		archive, err := image.Archive(m.name, m.layer, m.config)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", m.name, err)
		}
		path := filepath.Join(dir, strings.NewReplacer("/", "_", ":", "_").Replace(m.name)+".tar")
		if err := os.WriteFile(path, archive, 0o644); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// imagesOfTests returns the images by which Kubernetes' own tests ask for them: agnhost is what is in
// the archive, and the others are busybox that does what they do.
func imagesOfTests(archive string, box *image.Layer) ([]made, error) {
	out, err := exec.Command(filepath.Join(suite.programs, "e2e.test"), "--list-images").Output()
	if err != nil {
		return nil, fmt.Errorf("e2e.test --list-images: %w", err)
	}
	agnhost, err := os.ReadFile(archive)
	if err != nil {
		return nil, err
	}
	var all []made
	for name := range strings.FieldsSeq(string(out)) {
		config := image.Config{Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, Cmd: []string{"sh"}}
		m := made{name, box, config}
		base, _, _ := strings.Cut(strings.TrimPrefix(name, "registry.k8s.io/"), ":")
		switch base {
		case "e2e-test-images/agnhost":
			m.layer = image.LayerOf(agnhost)
			m.config.Entrypoint, m.config.Cmd = []string{"/agnhost"}, []string{"pause"}
		case "e2e-test-images/glibc-dns-testing":
			m.layer = image.LayerOf(agnhost)
		case "e2e-test-images/nonewprivs":
			m.config.Entrypoint, m.config.Cmd = []string{"/nnp"}, nil
		case "e2e-test-images/nonroot":
			m.config.User, m.config.Cmd = "1234", []string{"sh", "-c", "id -u; sleep 10000"}
		case "e2e-test-images/nginx":
			m.config.Cmd = []string{"/guest", "serve", "80"}
		case "pause":
			m.config.Cmd = []string{"/guest", "pause"}
		case "e2e-test-images/busybox", "e2e-test-images/ipc-utils", "e2e-test-images/perl":
		default:
			continue
		}
		all = append(all, m)
	}
	return all, nil
}
