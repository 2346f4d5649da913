// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The tables below and in the files beside follow the structs of specs-go, one
// row for each key. A test compares them with the struct tags, so that a new
// version of specs-go cannot add a field that is silently ignored.

// Spec reads a config.json. An error says where: "line 3, column 17: …".
// process is the text of its process, which Process reads.
func Spec(document string) (spec *specs.Spec, process string, err error) {
	d := &decoder{text: document}
	spec = new(specs.Spec)
	if err := d.whole(func() error { return object(d, spec, specFields) }); err != nil {
		return nil, "", err
	}
	return spec, d.process, nil
}

// Process reads a document that is one process. Errors are as Spec's.
func Process(document string) (*specs.Process, error) {
	d := &decoder{text: document}
	p := new(specs.Process)
	if err := d.whole(func() error { return object(d, p, processFields) }); err != nil {
		return nil, err
	}
	return p, nil
}

// Resources reads a document that is linux.resources alone. Errors are as Spec's. A null
// is what an encoder makes of no resources at all.
func Resources(document string) (*specs.LinuxResources, error) {
	d := &decoder{text: document}
	r := new(specs.LinuxResources)
	if err := d.wholeOrNull(func() error { return object(d, r, resourcesFields) }); err != nil {
		return nil, err
	}
	return r, nil
}

// Mounts reads a document that is an array of mounts, or an object with one as "mounts",
// as a config.json is. Errors are as Spec's.
func Mounts(document string) ([]specs.Mount, error) {
	d := &decoder{text: document}
	spec := new(specs.Spec)
	if err := d.notNull("an array of objects"); err != nil {
		return nil, err
	}
	err := d.whole(func() error {
		if d.peek() != '{' {
			return inField(records(d, &spec.Mounts, mountFields), "mounts")
		}
		begin := d.pos
		err := object(d, spec, mountsField)
		if err == nil && spec.Mounts == nil {
			err = inField(d.fail(begin, "is missing"), "mounts")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return spec.Mounts, nil
}

// whole reads the document, which is no scalar, and makes sure that it ends there.
func (d *decoder) whole(read func() error) error {
	if err := d.notNull("an object"); err != nil {
		return err
	}
	return d.wholeOrNull(read)
}

// wholeOrNull is whole for a document that may be null.
func (d *decoder) wholeOrNull(read func() error) error {
	err := read()
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return located(d.text, err)
	}
	return nil
}

// notNull refuses a document that is null, which is a valid value of everything below.
func (d *decoder) notNull(wanted string) error {
	if d.peek() != 'n' {
		return nil
	}
	begin := d.pos
	err := d.word("null")
	if err == nil {
		d.pos = begin
		err = d.mismatch(wanted)
	}
	return located(d.text, err)
}

// processText is record for the process, whose text it keeps.
func processText(d *decoder, v **specs.Process) error {
	d.peek()
	begin := d.pos
	err := record(d, v, processFields)
	d.process = d.text[begin:d.pos]
	return err
}

// located puts line and column in front of a fault.
func located(document string, err error) error {
	var f *fault
	if s := (*syntax)(nil); errors.As(err, &s) {
		f = &s.fault
	} else if !errors.As(err, &f) {
		return err
	}
	line, column := position(document, f.offset)
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}

var specFields = []field[specs.Spec]{
	{"ociVersion", func(d *decoder, v *specs.Spec) error { return text(d, &v.Version) }},
	{"process", func(d *decoder, v *specs.Spec) error { return processText(d, &v.Process) }},
	{"root", func(d *decoder, v *specs.Spec) error { return record(d, &v.Root, rootFields) }},
	{"hostname", func(d *decoder, v *specs.Spec) error { return text(d, &v.Hostname) }},
	{"domainname", func(d *decoder, v *specs.Spec) error { return text(d, &v.Domainname) }},
	{"mounts", func(d *decoder, v *specs.Spec) error { return records(d, &v.Mounts, mountFields) }},
	{"hooks", func(d *decoder, v *specs.Spec) error { return record(d, &v.Hooks, hooksFields) }},
	{"annotations", func(d *decoder, v *specs.Spec) error { return table(d, &v.Annotations, text[string]) }},
	{"linux", func(d *decoder, v *specs.Spec) error { return record(d, &v.Linux, linuxFields) }},
}

var mountsField = []field[specs.Spec]{
	{"mounts", func(d *decoder, v *specs.Spec) error { return records(d, &v.Mounts, mountFields) }},
}

var rootFields = []field[specs.Root]{
	{"path", func(d *decoder, v *specs.Root) error { return text(d, &v.Path) }},
	{"readonly", func(d *decoder, v *specs.Root) error { return boolean(d, &v.Readonly) }},
}

var mountFields = []field[specs.Mount]{
	{"destination", func(d *decoder, v *specs.Mount) error { return text(d, &v.Destination) }},
	{"type", func(d *decoder, v *specs.Mount) error { return text(d, &v.Type) }},
	{"source", func(d *decoder, v *specs.Mount) error { return text(d, &v.Source) }},
	{"options", func(d *decoder, v *specs.Mount) error { return texts(d, &v.Options) }},
	{"uidMappings", func(d *decoder, v *specs.Mount) error { return records(d, &v.UIDMappings, idMappingFields) }},
	{"gidMappings", func(d *decoder, v *specs.Mount) error { return records(d, &v.GIDMappings, idMappingFields) }},
}

var hooksFields = []field[specs.Hooks]{
	{"prestart", func(d *decoder, v *specs.Hooks) error { return records(d, &v.Prestart, hookFields) }},
	{"createRuntime", func(d *decoder, v *specs.Hooks) error { return records(d, &v.CreateRuntime, hookFields) }},
	{"createContainer", func(d *decoder, v *specs.Hooks) error { return records(d, &v.CreateContainer, hookFields) }},
	{"startContainer", func(d *decoder, v *specs.Hooks) error { return records(d, &v.StartContainer, hookFields) }},
	{"poststart", func(d *decoder, v *specs.Hooks) error { return records(d, &v.Poststart, hookFields) }},
	{"poststop", func(d *decoder, v *specs.Hooks) error { return records(d, &v.Poststop, hookFields) }},
}

var hookFields = []field[specs.Hook]{
	{"path", func(d *decoder, v *specs.Hook) error { return text(d, &v.Path) }},
	{"args", func(d *decoder, v *specs.Hook) error { return texts(d, &v.Args) }},
	{"env", func(d *decoder, v *specs.Hook) error { return texts(d, &v.Env) }},
	{"timeout", func(d *decoder, v *specs.Hook) error { return optional(d, &v.Timeout, signed[int]) }},
}
