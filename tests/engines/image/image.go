// SPDX-License-Identifier: Apache-2.0

// Package image makes container images for tests of engines: one layer each, in memory. It is not
// for images from elsewhere.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// A Layer is the contents of an image. Its methods keep the first error for Tar.
type Layer struct {
	buffer bytes.Buffer
	tar    *tar.Writer
	err    error
}

// NewLayer returns an empty one.
func NewLayer() *Layer {
	l := &Layer{}
	l.tar = tar.NewWriter(&l.buffer)
	return l
}

// LayerOf returns a layer with the contents of a file of tar.
func LayerOf(tar []byte) *Layer {
	l := NewLayer()
	l.buffer.Write(tar)
	return l
}

func (l *Layer) add(header *tar.Header, content []byte) *Layer {
	if l.err != nil {
		return l
	}
	header.Size = int64(len(content))
	if l.err = l.tar.WriteHeader(header); l.err == nil {
		_, l.err = l.tar.Write(content)
	}
	return l
}

// Directory adds a directory.
func (l *Layer) Directory(name string, mode int64) *Layer {
	return l.add(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode}, nil)
}

// File adds a regular file.
func (l *Layer) File(name string, mode int64, content []byte) *Layer {
	return l.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, content)
}

// Link adds another name of a file, which is already there.
func (l *Layer) Link(name, target string) *Layer {
	return l.add(&tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target, Mode: 0o755}, nil)
}

// Symlink adds a symbolic link.
func (l *Layer) Symlink(name, target string) *Layer {
	return l.add(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}, nil)
}

// Tar returns the layer as a file of tar.
func (l *Layer) Tar() ([]byte, error) {
	if l.err == nil {
		l.err = l.tar.Close()
	}
	return l.buffer.Bytes(), l.err
}

// Busybox returns a layer with /bin/busybox of this machine, by the names of all that it can do, and
// users of whom /etc/group puts one (1000) into a group (50000). The names are hard links, so that
// something can be mounted over one of them.
func Busybox() (*Layer, error) {
	box, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return nil, err
	}
	applets, err := exec.Command("/bin/busybox", "--list").Output()
	if err != nil {
		return nil, err
	}
	l := NewLayer()
	for _, dir := range []string{"bin", "dev", "etc", "home", "mnt", "proc", "root", "run", "sys", "var"} {
		l.Directory(dir, 0o755)
	}
	l.Directory("tmp", 0o1777)
	l.File("bin/busybox", 0o755, box)
	for applet := range strings.FieldsSeq(string(applets)) {
		if applet != "busybox" {
			l.Link("bin/"+applet, "bin/busybox")
		}
	}
	l.File("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n"+
		"www-data:x:33:33::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"))
	l.File("etc/group", 0o644, []byte("root:x:0:\nwww-data:x:33:\nuser:x:1000:\nimage:x:50000:user\nnogroup:x:65534:\n"))
	return l, l.err
}

// Config is what an image says about its containers, as Docker writes it.
type Config struct {
	Entrypoint, Cmd, Env []string `json:",omitempty"`
	User                 string   `json:",omitempty"`
	StopSignal           string   `json:",omitempty"`
}

// Describe returns the configuration of an image with that layer.
func Describe(layer []byte, config Config) ([]byte, error) {
	return json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{Digest(layer)}},
	})
}

// Digest returns the name of content by its hash.
func Digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Archive returns an image as docker save writes it.
func Archive(name string, l *Layer, config Config) ([]byte, error) {
	layer, err := l.Tar()
	if err != nil {
		return nil, err
	}
	description, err := Describe(layer, config)
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal([]map[string]any{{
		"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return nil, err
	}
	return NewLayer().File("config.json", 0o644, description).File("layer.tar", 0o644, layer).
		File("manifest.json", 0o644, manifest).Tar()
}
