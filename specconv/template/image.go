// SPDX-License-Identifier: Apache-2.0

package template

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv"
	"github.com/berth-run/berth/specconv/internal/decode"
	"github.com/berth-run/berth/specconv/internal/document"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/berth-run/berth/specconv/internal/layout"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// imageAnnotation is the prefix of the annotations that the conversion adds.
const imageAnnotation = "org.opencontainers.image."

// image applies the configuration of the image (image-spec: conversion.md).
func (d *draft) image() error {
	if d.Image == "" {
		return nil
	}
	document, err := d.readImage()
	if err != nil {
		return fmt.Errorf("--from-image: %w", err)
	}
	image, err := decode.ParseImage(document)
	if err == nil {
		err = d.applyImage(image)
	}
	if err != nil {
		return fmt.Errorf("--from-image: %s: %w", d.Image, err)
	}
	return nil
}

// readImage reads the configuration from a file, or from a layout, whose path may be followed
// by a tag. A tag may contain colons, a directory seldom does.
func (d *draft) readImage() (string, error) {
	whole := d.absolute(d.Image)
	info, err := os.Stat(whole)
	switch {
	case err == nil && info.IsDir():
		return layout.Config(whole, "", runtime.GOARCH)
	case err == nil:
		return document.Read(whole, document.WaitForWriter)
	}
	for i := range len(d.Image) {
		if d.Image[i] != ':' {
			continue
		}
		dir, tag := d.Image[:i], d.Image[i+1:]
		if info, err := os.Stat(d.absolute(dir)); dir == "" || err != nil || !info.IsDir() {
			continue
		}
		if tag == "" {
			return "", fmt.Errorf("not of the form DIR[:TAG]: %q", d.Image)
		}
		return layout.Config(d.absolute(dir), tag, runtime.GOARCH)
	}
	return "", err
}

// applyImage applies an image configuration. The root file system is writable, because it
// contains only the image's own files.
func (d *draft) applyImage(image *decode.Image) error {
	c, p := &image.Config, d.spec.Process
	switch {
	case image.OS == "":
		return errors.New("os: must be given; is it the configuration of an image?")
	case image.OS != "linux":
		return fmt.Errorf("os: the image is for %q", image.OS)
	}
	p.Args = slices.Concat(c.Entrypoint, c.Cmd)
	p.Cwd = path.Join("/", c.WorkingDir)
	for i, entry := range c.Env {
		var err error
		if p.Env, err = setEnv(p.Env, entry); err != nil {
			return fmt.Errorf("%s: %w", fault.Element("config.Env", i), err)
		}
	}
	d.user, d.userOption = c.User, "--from-image: config.User"
	if d.ReadOnly == nil {
		d.spec.Root.Readonly = false
	}
	d.annotateImage(image)
	return d.addVolumes(c.Volumes)
}

// annotateImage adds annotations. Labels override implied ones.
func (d *draft) annotateImage(image *decode.Image) {
	c := &image.Config
	ports := slices.Sorted(maps.Keys(c.ExposedPorts))
	for _, a := range [...]struct{ name, value string }{
		{"os", image.OS},
		{"architecture", image.Architecture},
		{"variant", image.Variant},
		{"os.version", image.OSVersion},
		{"os.features", strings.Join(image.OSFeatures, ",")},
		{"author", image.Author},
		{"created", image.Created},
		{"stopSignal", c.StopSignal},
		{"exposedPorts", strings.Join(ports, ",")},
	} {
		if a.value != "" {
			d.annotate(imageAnnotation+a.name, a.value)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		switch {
		case key == "": // an annotation must have a name
			d.warn("--from-image: a label without a name is left out: %q", c.Labels[key])
		case isOrder(key):
			d.warn("--from-image: label %q is left out: as an annotation it would change what the runtime does", key)
		default:
			d.annotate(key, c.Labels[key])
		}
	}
}

// isOrder reports whether an annotation changes what runtimes do, like opening a file of the
// host. Images are untrusted, and a label must not give them more rights than their program
// has.
func isOrder(key string) bool {
	for _, prefix := range []string{"run.oci.", "run.berth.", "org.criu.", configs.UnitPropertyAnnotation} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return slices.Contains(specconv.KnownAnnotations(), key)
}

// addVolumes mounts a tmpfs with a copy of the image's own files for each volume. A volume must
// not cover a kernel file system such as /proc, or copy its files.
func (d *draft) addVolumes(volumes map[string]struct{}) error {
	own := d.spec.Mounts
	for _, v := range slices.Sorted(maps.Keys(volumes)) {
		destination := path.Join("/", v)
		if destination == "/" {
			return fmt.Errorf("config.Volumes: %q: a mount over the root file system itself is not possible", v)
		}
		if err := fault.NoNUL("config.Volumes", v); err != nil {
			return err
		}
		if slices.ContainsFunc(own, func(m specs.Mount) bool { return isBelow(destination, m.Destination) }) {
			d.warn("--from-image: volume %q is left out: something is mounted there already", v)
			continue
		}
		d.volumes = append(d.volumes, destination)
		d.spec.Mounts = append(d.spec.Mounts, specs.Mount{
			Destination: destination, Type: "tmpfs", Source: "tmpfs",
			Options: []string{"nosuid", "nodev", "tmpcopyup"},
		})
	}
	return nil
}

// isBelow reports whether a clean path is dir or below it.
func isBelow(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }
