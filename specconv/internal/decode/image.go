// SPDX-License-Identifier: Apache-2.0

// Package decode reads documents that are not part of the runtime-spec: images, and berth's own
// annotations.
package decode

import "github.com/berth-run/berth/libcontainer/codec"

// The documents of the OCI image-spec, with the fields that say how an image is run. Docker's
// documents have the same keys. The image-spec requires that unknown keys are ignored.

// Image is an image configuration (image-spec: config.md).
type Image struct {
	Created, Author           string
	Architecture, Variant, OS string
	OSVersion                 string   `json:"os.version"`
	OSFeatures                []string `json:"os.features"`
	Config                    ImageConfig
}

// ImageConfig describes how the image is run.
type ImageConfig struct {
	User, WorkingDir, StopSignal string
	Env, Entrypoint, Cmd         []string
	ExposedPorts, Volumes        map[string]struct{}
	Labels                       map[string]string
}

// ImageIndex lists images (image-spec: image-index.md).
type ImageIndex struct {
	Manifests []Descriptor
}

// ImageManifest is one image (image-spec: manifest.md).
type ImageManifest struct {
	Config Descriptor
}

// Descriptor names a blob (image-spec: descriptor.md).
type Descriptor struct {
	MediaType, Digest string
	Size              int64
	Annotations       map[string]string
	// Platform may be nil.
	Platform *Platform
}

// Platform is what an image runs on.
type Platform struct {
	Architecture, OS, Variant string
}

// ImageLayout is the file oci-layout (image-spec: image-layout.md).
type ImageLayout struct {
	ImageLayoutVersion string
}

// ParseImage parses an Image. Errors are like those of codec.Read, here and in the functions
// below.
func ParseImage(document string) (*Image, error) { return codec.Read(document, imageFields) }

// ParseImageIndex parses an ImageIndex.
func ParseImageIndex(document string) (*ImageIndex, error) {
	return codec.Read(document, imageIndexFields)
}

// ParseImageManifest parses an ImageManifest.
func ParseImageManifest(document string) (*ImageManifest, error) {
	return codec.Read(document, imageManifestFields)
}

// ParseImageLayout parses an ImageLayout.
func ParseImageLayout(document string) (*ImageLayout, error) {
	return codec.Read(document, imageLayoutFields)
}

func imageFields(c *codec.Coder, v *Image) {
	codec.Text(c, "created", &v.Created)
	codec.Text(c, "author", &v.Author)
	codec.Text(c, "architecture", &v.Architecture)
	codec.Text(c, "variant", &v.Variant)
	codec.Text(c, "os", &v.OS)
	codec.Text(c, "os.version", &v.OSVersion)
	codec.Texts(c, "os.features", &v.OSFeatures)
	codec.Object(c, "config", &v.Config, imageConfigFields)
}

func imageConfigFields(c *codec.Coder, v *ImageConfig) {
	codec.Text(c, "User", &v.User)
	codec.Set(c, "ExposedPorts", &v.ExposedPorts)
	codec.Texts(c, "Env", &v.Env)
	codec.Texts(c, "Entrypoint", &v.Entrypoint)
	codec.Texts(c, "Cmd", &v.Cmd)
	codec.Set(c, "Volumes", &v.Volumes)
	codec.Text(c, "WorkingDir", &v.WorkingDir)
	codec.TextMap(c, "Labels", &v.Labels)
	codec.Text(c, "StopSignal", &v.StopSignal)
}

func imageIndexFields(c *codec.Coder, v *ImageIndex) {
	codec.Records(c, "manifests", &v.Manifests, descriptorFields)
}

func imageManifestFields(c *codec.Coder, v *ImageManifest) {
	codec.Object(c, "config", &v.Config, descriptorFields)
}

func descriptorFields(c *codec.Coder, v *Descriptor) {
	codec.Text(c, "mediaType", &v.MediaType)
	codec.Text(c, "digest", &v.Digest)
	codec.Signed(c, "size", &v.Size)
	codec.TextMap(c, "annotations", &v.Annotations)
	codec.Record(c, "platform", &v.Platform, platformFields)
}

func platformFields(c *codec.Coder, v *Platform) {
	codec.Text(c, "architecture", &v.Architecture)
	codec.Text(c, "os", &v.OS)
	codec.Text(c, "variant", &v.Variant)
}

func imageLayoutFields(c *codec.Coder, v *ImageLayout) {
	codec.Text(c, "imageLayoutVersion", &v.ImageLayoutVersion)
}
