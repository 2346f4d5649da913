// SPDX-License-Identifier: Apache-2.0

// Package layout finds the configuration of an image in an OCI image layout (image-spec:
// image-layout.md): a directory as skopeo and umoci write it.
//
// Nothing in a blob is used before its size and digest have been checked. Only index.json,
// where the search begins, has no digest.
package layout

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/berth-run/berth/specconv/internal/decode"
	"github.com/berth-run/berth/specconv/internal/digest"
	"golang.org/x/sys/unix"
)

// tagAnnotation is the annotation with the name of an image in an index (image-spec:
// annotations.md).
const tagAnnotation = "org.opencontainers.image.ref.name"

const (
	// maxDocument is the size that the image-spec requires implementations to support, and far
	// above that of real images.
	maxDocument = 4 << 20
	// maxIndexes is how deep indexes may be nested. Tools write at most two levels.
	maxIndexes = 4
)

// The media types that are understood.
const (
	ociIndex       = "application/vnd.oci.image.index.v1+json"
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociConfig      = "application/vnd.oci.image.config.v1+json"
	dockerIndex    = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
)

// Config returns the configuration of the image with the given tag, or of the only image if the
// tag is "". If there are several platforms, it takes the first for Linux on arch, which is a
// GOARCH value.
func Config(dir, tag, arch string) (string, error) {
	marker, err := readFile(filepath.Join(dir, "oci-layout"))
	if errors.Is(err, unix.ENOENT) {
		return "", fmt.Errorf("%s: not an OCI image layout: there is no file oci-layout", dir)
	}
	if err != nil {
		return "", err
	}
	layout, err := decode.ParseImageLayout(marker)
	if err != nil {
		return "", fmt.Errorf("%s/oci-layout: %w", dir, err)
	}
	if !strings.HasPrefix(layout.ImageLayoutVersion, "1.") {
		return "", fmt.Errorf("%s/oci-layout: imageLayoutVersion: unknown version %q", dir, layout.ImageLayoutVersion)
	}
	index, err := readFile(filepath.Join(dir, "index.json"))
	if err != nil {
		return "", err
	}
	list, err := decode.ParseImageIndex(index)
	if err != nil {
		return "", fmt.Errorf("%s/index.json: %w", dir, err)
	}
	images, err := tagged(list.Manifests, tag)
	if err != nil {
		return "", fmt.Errorf("%s: %w", dir, err)
	}
	config, err := follow(dir, images, arch, maxIndexes)
	if err != nil {
		return "", fmt.Errorf("%s: %w", dir, err)
	}
	return config, nil
}

// tagged returns the entries of index.json with the given tag. Several entries may have the
// same tag, for different platforms.
func tagged(all []decode.Descriptor, tag string) ([]decode.Descriptor, error) {
	var images []decode.Descriptor
	var tags []string
	for _, d := range all {
		name := d.Annotations[tagAnnotation]
		if tag == "" || name == tag {
			images = append(images, d)
		}
		if !slices.Contains(tags, name) {
			tags = append(tags, name)
		}
	}
	switch {
	case len(all) == 0:
		return nil, errors.New("there is no image in it")
	case len(images) == 0:
		return nil, fmt.Errorf("no image has the tag %q; there are %q", tag, tags)
	case tag == "" && len(tags) > 1:
		return nil, fmt.Errorf("there are several images: name one of %q", tags)
	}
	return images, nil
}

// follow leads from the entries of an index to the configuration of one image.
func follow(dir string, entries []decode.Descriptor, arch string, depth int) (string, error) {
	d, err := choose(entries, arch)
	if err != nil {
		return "", err
	}
	switch d.MediaType {
	case ociManifest, dockerManifest:
		return configOf(dir, d)
	case ociIndex, dockerIndex:
	default:
		return "", fmt.Errorf("%s is of the media type %q, and no image", d.Digest, d.MediaType)
	}
	if depth == 0 {
		return "", fmt.Errorf("more than %d indexes stand one in the other", maxIndexes)
	}
	blob, err := readBlob(dir, d)
	if err != nil {
		return "", err
	}
	index, err := decode.ParseImageIndex(blob)
	if err != nil {
		return "", fmt.Errorf("%s: %w", d.Digest, err)
	}
	return follow(dir, index.Manifests, arch, depth-1)
}

// configOf reads the configuration of the image that has the manifest.
func configOf(dir string, manifest *decode.Descriptor) (string, error) {
	blob, err := readBlob(dir, manifest)
	if err != nil {
		return "", err
	}
	m, err := decode.ParseImageManifest(blob)
	if err != nil {
		return "", fmt.Errorf("%s: %w", manifest.Digest, err)
	}
	switch m.Config.MediaType {
	case ociConfig, dockerConfig:
		return readBlob(dir, &m.Config)
	}
	return "", fmt.Errorf("%s: config.mediaType: %q is not that of an image", manifest.Digest, m.Config.MediaType)
}

// choose returns the first entry for the platform, as the image-spec requires. An entry without
// a platform is for any. Variants of an architecture may need instructions that this machine
// lacks, so the most basic one comes first.
func choose(entries []decode.Descriptor, arch string) (*decode.Descriptor, error) {
	if len(entries) == 0 {
		return nil, errors.New("an index without manifests")
	}
	plain := map[string]string{"amd64": "v1", "arm64": "v8"}[arch]
	var other *decode.Descriptor
	var there []string
	for i := range entries {
		d := &entries[i]
		p := d.Platform
		if p == nil || p.OS == "linux" && p.Architecture == arch && (p.Variant == "" || p.Variant == plain) {
			return d, nil
		}
		if other == nil && p.OS == "linux" && p.Architecture == arch {
			other = d
		}
		there = append(there, strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/"))
	}
	if other == nil {
		return nil, fmt.Errorf("no image is for linux/%s; there are %q", arch, there)
	}
	return other, nil
}

// readBlob reads the blob that d describes.
func readBlob(dir string, d *decode.Descriptor) (string, error) {
	name, err := digest.Encoded(d.Digest)
	if err != nil {
		return "", err
	}
	content, err := readFile(filepath.Join(dir, "blobs", "sha256", name))
	if err != nil {
		return "", err
	}
	if int64(len(content)) != d.Size {
		return "", fmt.Errorf("blob %s: it has %d bytes, and its descriptor says %d", d.Digest, len(content), d.Size)
	}
	if err := digest.Verify([]byte(content), d.Digest); err != nil {
		return "", fmt.Errorf("blob %s: %w", d.Digest, err)
	}
	return content, nil
}

// readFile reads a regular file. The layout is not trusted: a FIFO would block the caller
// forever.
func readFile(path string) (_ string, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s: not a regular file", path)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err == nil && len(content) > maxDocument {
		err = fmt.Errorf("%s: more than %d MiB", path, maxDocument>>20)
	}
	return string(content), err
}
