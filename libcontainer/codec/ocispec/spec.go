// SPDX-License-Identifier: Apache-2.0

// Package ocispec reads and writes the JSON documents of the runtime-spec, as types of
// specs-go.
//
// The tables follow the structs of specs-go, with one row for each key. A test compares them
// with the struct tags, so that a new version of specs-go cannot add a field that is silently
// ignored. The parts for other platforms are skipped when they are read, as the runtime-spec
// demands for properties that a runtime does not know.
package ocispec

import (
	"github.com/berth-run/berth/libcontainer/codec"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// config is a config.json, and the text of its process.
type config struct {
	specs.Spec
	process string
}

// Spec reads a config.json. An error says where it is: "line 3, column 17: …". process is the
// text of its process, which Process reads.
func Spec(document string) (spec *specs.Spec, process string, notices []codec.Notice, err error) {
	c, notices, err := codec.ReadNoticing(document, specFields)
	if err != nil {
		return nil, "", nil, err
	}
	return &c.Spec, c.process, notices, nil
}

// SpecWithFaults is Spec for a reader who wants to know everything that is wrong: a value of a wrong
// type is left out, and is one of faults. err says that the document is not JSON.
func SpecWithFaults(document string) (spec *specs.Spec, faults []*codec.Fault, notices []codec.Notice, err error) {
	c, faults, notices, err := codec.ReadAllFaults(document, specFields)
	return &c.Spec, faults, notices, err
}

// Process reads a document that is one process. Errors are as in Spec.
func Process(document string) (*specs.Process, []codec.Notice, error) {
	p, notices, err := codec.ReadNoticing(document, processFields)
	if err != nil {
		return nil, nil, err
	}
	return p, notices, nil
}

// Resources reads a document that is only linux.resources. Errors are as in Spec. A null is
// what an encoder makes of no resources at all.
func Resources(document string) (*specs.LinuxResources, []codec.Notice, error) {
	var r *specs.LinuxResources
	notices, err := codec.ReadValueNoticing(document, func(c *codec.Coder) error {
		r = new(specs.LinuxResources)
		return codec.ObjectValue(c, r, resourcesFields)
	})
	if err != nil {
		return nil, nil, err
	}
	return r, notices, nil
}

// WriteResources writes the document that Resources reads.
func WriteResources(r *specs.LinuxResources) []byte {
	return codec.Write(r, resourcesFields)
}

// Mounts reads a document that is an array of mounts, or an object like a config.json, with an
// array as "mounts". Errors are as in Spec.
func Mounts(document string) ([]specs.Mount, []codec.Notice, error) {
	var list *[]specs.Mount
	notices, err := codec.ReadValueNoticing(document, func(c *codec.Coder) error {
		list = new([]specs.Mount)
		if err := c.NotNull("an array of objects"); err != nil {
			return err
		}
		if c.Peek() != '{' {
			return codec.InField(codec.RecordsValue(c, list, mountFields), "mounts")
		}
		missing := c.Fail("is missing")
		err := codec.ObjectValue(c, list, mountsField)
		if err == nil && *list == nil {
			err = codec.InField(missing, "mounts")
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return *list, notices, nil
}

// Hooks is a field in one of berth's own documents: a list of hooks.
func Hooks(c *codec.Coder, name string, v *[]specs.Hook) { codec.Records(c, name, v, hookFields) }

// WriteState writes the document that a hook reads. Empty annotations are left out, as in
// runc's.
func WriteState(s *specs.State) []byte {
	state := *s
	if len(state.Annotations) == 0 {
		state.Annotations = nil
	}
	return codec.Write(&state, stateFields)
}

// processValue keeps the text.
func processValue(c *codec.Coder, v *config) (err error) {
	v.process, err = c.Span(func() error { return codec.RecordValue(c, &v.Process, processFields) })
	return err
}

func specFields(c *codec.Coder, v *config) {
	codec.Text(c, "ociVersion", &v.Version)
	codec.Value(c, "process", v, processValue)
	codec.Record(c, "root", &v.Root, rootFields)
	codec.Text(c, "hostname", &v.Hostname)
	codec.Text(c, "domainname", &v.Domainname)
	mountsField(c, &v.Mounts)
	codec.Record(c, "hooks", &v.Hooks, hooksFields)
	codec.TextMap(c, "annotations", &v.Annotations)
	codec.Record(c, "linux", &v.Linux, linuxFields)
	codec.Skipped(c, "solaris", "windows", "vm", "zos", "freebsd")
}

func mountsField(c *codec.Coder, v *[]specs.Mount) {
	codec.Records(c, "mounts", v, mountFields)
}

func rootFields(c *codec.Coder, v *specs.Root) {
	codec.Text(c, "path", &v.Path)
	codec.Boolean(c, "readonly", &v.Readonly)
}

func mountFields(c *codec.Coder, v *specs.Mount) {
	codec.Text(c, "destination", &v.Destination)
	codec.Text(c, "type", &v.Type)
	codec.Text(c, "source", &v.Source)
	codec.Texts(c, "options", &v.Options)
	codec.Records(c, "uidMappings", &v.UIDMappings, idMappingFields)
	codec.Records(c, "gidMappings", &v.GIDMappings, idMappingFields)
}

func hooksFields(c *codec.Coder, v *specs.Hooks) {
	codec.Records(c, "prestart", &v.Prestart, hookFields)
	codec.Records(c, "createRuntime", &v.CreateRuntime, hookFields)
	codec.Records(c, "createContainer", &v.CreateContainer, hookFields)
	codec.Records(c, "startContainer", &v.StartContainer, hookFields)
	codec.Records(c, "poststart", &v.Poststart, hookFields)
	codec.Records(c, "poststop", &v.Poststop, hookFields)
}

func hookFields(c *codec.Coder, v *specs.Hook) {
	codec.Text(c, "path", &v.Path)
	codec.Texts(c, "args", &v.Args)
	codec.Texts(c, "env", &v.Env)
	codec.OptionalSigned(c, "timeout", &v.Timeout)
}

func stateFields(c *codec.Coder, v *specs.State) {
	codec.Text(c, "ociVersion", &v.Version)
	codec.Text(c, "id", &v.ID)
	codec.Text(c, "status", &v.Status)
	codec.Signed(c, "pid", &v.Pid)
	codec.Text(c, "bundle", &v.Bundle)
	codec.TextMap(c, "annotations", &v.Annotations)
}
