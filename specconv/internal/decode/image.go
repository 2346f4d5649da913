// SPDX-License-Identifier: Apache-2.0

package decode

// The documents of the OCI image-spec, as far as they tell how an image is run. Docker's
// own have the same keys. The image-spec wants unknown keys to be ignored.

// Image is an image configuration (image-spec: config.md).
type Image struct {
	Created, Author           string
	Architecture, Variant, OS string
	OSVersion                 string   `json:"os.version"`
	OSFeatures                []string `json:"os.features"`
	Config                    ImageConfig
}

// ImageConfig says how the image is run.
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
	// Platform is nil when it is not said.
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

// ParseImage reads an Image. Errors are as Spec's, here and in all below.
func ParseImage(document string) (*Image, error) { return parse(document, imageFields) }

// ParseImageIndex reads an ImageIndex.
func ParseImageIndex(document string) (*ImageIndex, error) { return parse(document, imageIndexFields) }

// ParseImageManifest reads an ImageManifest.
func ParseImageManifest(document string) (*ImageManifest, error) {
	return parse(document, imageManifestFields)
}

// ParseImageLayout reads an ImageLayout.
func ParseImageLayout(document string) (*ImageLayout, error) {
	return parse(document, imageLayoutFields)
}

func parse[T any](document string, fields []field[T]) (*T, error) {
	d := &decoder{text: document}
	v := new(T)
	if err := d.whole(func() error { return object(d, v, fields) }); err != nil {
		return nil, err
	}
	return v, nil
}

var imageFields = []field[Image]{
	{"created", func(d *decoder, v *Image) error { return text(d, &v.Created) }},
	{"author", func(d *decoder, v *Image) error { return text(d, &v.Author) }},
	{"architecture", func(d *decoder, v *Image) error { return text(d, &v.Architecture) }},
	{"variant", func(d *decoder, v *Image) error { return text(d, &v.Variant) }},
	{"os", func(d *decoder, v *Image) error { return text(d, &v.OS) }},
	{"os.version", func(d *decoder, v *Image) error { return text(d, &v.OSVersion) }},
	{"os.features", func(d *decoder, v *Image) error { return texts(d, &v.OSFeatures) }},
	{"config", func(d *decoder, v *Image) error { return object(d, &v.Config, imageConfigFields) }},
}

var imageConfigFields = []field[ImageConfig]{
	{"User", func(d *decoder, v *ImageConfig) error { return text(d, &v.User) }},
	{"ExposedPorts", func(d *decoder, v *ImageConfig) error { return keys(d, &v.ExposedPorts) }},
	{"Env", func(d *decoder, v *ImageConfig) error { return texts(d, &v.Env) }},
	{"Entrypoint", func(d *decoder, v *ImageConfig) error { return texts(d, &v.Entrypoint) }},
	{"Cmd", func(d *decoder, v *ImageConfig) error { return texts(d, &v.Cmd) }},
	{"Volumes", func(d *decoder, v *ImageConfig) error { return keys(d, &v.Volumes) }},
	{"WorkingDir", func(d *decoder, v *ImageConfig) error { return text(d, &v.WorkingDir) }},
	{"Labels", func(d *decoder, v *ImageConfig) error { return table(d, &v.Labels, text[string]) }},
	{"StopSignal", func(d *decoder, v *ImageConfig) error { return text(d, &v.StopSignal) }},
}

var imageIndexFields = []field[ImageIndex]{
	{"manifests", func(d *decoder, v *ImageIndex) error { return records(d, &v.Manifests, descriptorFields) }},
}

var imageManifestFields = []field[ImageManifest]{
	{"config", func(d *decoder, v *ImageManifest) error { return object(d, &v.Config, descriptorFields) }},
}

var descriptorFields = []field[Descriptor]{
	{"mediaType", func(d *decoder, v *Descriptor) error { return text(d, &v.MediaType) }},
	{"digest", func(d *decoder, v *Descriptor) error { return text(d, &v.Digest) }},
	{"size", func(d *decoder, v *Descriptor) error { return signed(d, &v.Size) }},
	{"annotations", func(d *decoder, v *Descriptor) error { return table(d, &v.Annotations, text[string]) }},
	{"platform", func(d *decoder, v *Descriptor) error { return record(d, &v.Platform, platformFields) }},
}

var platformFields = []field[Platform]{
	{"architecture", func(d *decoder, v *Platform) error { return text(d, &v.Architecture) }},
	{"os", func(d *decoder, v *Platform) error { return text(d, &v.OS) }},
	{"variant", func(d *decoder, v *Platform) error { return text(d, &v.Variant) }},
}

var imageLayoutFields = []field[ImageLayout]{
	{"imageLayoutVersion", func(d *decoder, v *ImageLayout) error { return text(d, &v.ImageLayoutVersion) }},
}

// keys takes an object of which the keys alone say anything, as Go writes a set.
func keys(d *decoder, m *map[string]struct{}) error {
	return table(d, m, func(d *decoder, _ *struct{}) error { return object[struct{}](d, nil, nil) })
}
