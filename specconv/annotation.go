// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/berth-run/berth/specconv/internal/landlock"
	"github.com/berth-run/berth/specconv/internal/netplan"
)

// The annotations that change what berth does, besides those for properties of a systemd unit,
// which runc has too. The ones for the network and for Landlock are ours. The rest are crun's,
// and engines (Podman) set them. All other annotations are only passed on.
const (
	annotationKeepGroups    = "run.oci.keep_original_groups"
	annotationHookStdout    = "run.oci.hooks.stdout"
	annotationHookStderr    = "run.oci.hooks.stderr"
	annotationPIDFDReceiver = "run.oci.pidfd_receiver"
	annotationSubgroup      = "run.oci.systemd.subgroup"
	annotationDelegate      = "run.oci.delegate-cgroup"
)

// KnownAnnotations returns the annotations that change what berth does, including those it
// refuses, sorted. One that ends with a dot is a prefix. Whoever lets others set them also lets
// them do what they do: for example make berth open a path of the host.
func KnownAnnotations() []string {
	return []string{
		configs.CriuConfigAnnotation, configs.UnitPropertyAnnotation, configs.LandlockAnnotation, netplan.AnnotationNetwork, annotationDelegate,
		annotationHandler, annotationHookStderr, annotationHookStdout, annotationKeepGroups, annotationMountContext, annotationPIDFDReceiver,
		annotationSeccompPlugins, annotationSeccompReceiver, annotationSeccompProgram, annotationSeccompFailUnknown,
		annotationForceLegacy, annotationSubgroup, annotationTimeOffset,
	}
}

// annotations adds what the annotations say to the plan. It runs after process.
func (c *conversion) annotations() error {
	// Only its presence counts; the value is ignored.
	_, c.plan.Process.KeepGroups = c.spec.Annotations[annotationKeepGroups]
	var errs fault.List
	for _, a := range [...]struct {
		key string
		to  *string
	}{
		{annotationHookStdout, &c.plan.HookStdout},
		{annotationHookStderr, &c.plan.HookStderr},
		{annotationPIDFDReceiver, &c.plan.PIDFDReceiver},
	} {
		value, ok := c.spec.Annotations[a.key]
		if !ok {
			continue
		}
		field := annotationField(a.key)
		// A relative path would name a different file in each command: create and delete run in
		// different directories.
		if !path.IsAbs(value) {
			errs.Add(fault.New(field, "not an absolute path: %q", value))
		}
		errs.Add(fault.NoNUL(field, value))
		*a.to = value
	}
	for key, value := range c.spec.Annotations {
		if name, ok := strings.CutPrefix(key, configs.UnitPropertyAnnotation); ok {
			if c.plan.Cgroup.UnitProperties == nil {
				c.plan.Cgroup.UnitProperties = make(map[string]string)
			}
			c.plan.Cgroup.UnitProperties[name] = value
		}
	}
	// A restore reads it too, and may run in another directory. An empty value means none.
	if value := c.spec.Annotations[configs.CriuConfigAnnotation]; value != "" && !path.IsAbs(value) {
		errs.Add(fault.New(annotationField(configs.CriuConfigAnnotation), "not an absolute path: %q", value))
	}
	var err error
	c.plan.Process.Landlock, err = landlock.Rules(c.spec.Annotations)
	errs.Add(err)
	errs.Add(c.foreignAnnotations())
	errs.Add(c.subgroups())
	return errs.Err()
}

// annotationField returns the field name of an annotation for errors.
func annotationField(key string) string { return "annotations[" + strconv.Quote(key) + "]" }

// subgroups reads the names of the cgroups below the container's own. An empty name means none;
// with crun this switches off its default.
func (c *conversion) subgroups() error {
	var errs fault.List
	g := &c.plan.Cgroup
	for _, a := range [...]struct {
		key string
		to  *string
	}{{annotationSubgroup, &g.Subgroup}, {annotationDelegate, &g.Delegated}} {
		name := c.spec.Annotations[a.key]
		// "cgroup." is the prefix of the kernel's own files in each cgroup.
		if name == "." || name == ".." || strings.ContainsFunc(name, notInCgroupName) || strings.HasPrefix(name, "cgroup.") {
			errs.Add(fault.New(annotationField(a.key), "not the name of a cgroup: %q", name))
		}
		*a.to = name
	}
	if _, chosen := c.spec.Annotations[annotationSubgroup]; g.Delegated != "" && g.Systemd && !chosen {
		g.Subgroup = "container" // as in crun
	}
	if g.Delegated != "" && g.Subgroup == "" {
		errs.Add(fault.New(annotationField(annotationDelegate), "needs %s, which names the cgroup to put it in", annotationSubgroup))
	}
	return errs.Err()
}

// notInCgroupName reports characters that would make the name a path, or break programs that
// read /proc/PID/cgroup.
func notInCgroupName(r rune) bool { return r == '/' || r < ' ' || r == 0x7f }
