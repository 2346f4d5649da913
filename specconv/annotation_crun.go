// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Annotations of crun that are not part of any interface between engines and runtimes. If one
// asks for a restriction, or for another kind of container, berth implements or refuses it: its
// author would otherwise believe that it is in effect.
const (
	annotationTimeOffset     = "run.oci.timens_offset"
	annotationMountContext   = "run.oci.mount_context_type"
	annotationForceLegacy    = configs.ForceLegacyAnnotation
	annotationHandler        = "run.oci.handler"
	annotationSeccompPlugins = "run.oci.seccomp.plugins"
	annotationSeccompProgram = "run.oci.seccomp_bpf_data"
)

// refusedAnnotations lists the refused ones, with what to do instead. An empty value is
// ignored.
var refusedAnnotations = [...]struct{ key, reason string }{
	{annotationHandler, "berth runs programs in containers only, and loads no library to run them in another way"},
	{annotationSeccompPlugins, "berth loads no library into itself: linux.seccomp.listenerPath, or the annotation " +
		annotationSeccompReceiver + ", lets an agent in a separate process decide"},
	{annotationSeccompProgram, "berth cannot check a BPF program: use linux.seccomp to say which calls are allowed"},
}

// foreignAnnotations adds the supported ones to the plan, and refuses what berth does not
// implement.
func (c *conversion) foreignAnnotations() error {
	var errs fault.List
	for _, a := range refusedAnnotations {
		if value := c.spec.Annotations[a.key]; value != "" {
			errs.Add(fault.New(annotationField(a.key), "not supported: %.64q: %s", value, a.reason))
		}
	}
	c.plan.Cgroup.ForceLegacy = c.spec.Annotations[annotationForceLegacy] != ""
	errs.Add(c.annotatedTimeOffsets())
	return errs.Err()
}

// annotatedTimeOffsets adds the offsets in the annotation to linux.timeOffsets. The annotation
// has lines of the form of /proc/PID/timens_offsets (time_namespaces(7)).
func (c *conversion) annotatedTimeOffsets() error {
	text := c.spec.Annotations[annotationTimeOffset]
	if text == "" {
		return nil
	}
	field := annotationField(annotationTimeOffset)
	ns, ok := c.plan.Namespaces.Get(configs.NewTime)
	switch {
	case !ok:
		return fault.New(field, configs.PhraseTimeNotEnabled)
	case ns.Path != "":
		return fault.New(field, configs.PhraseTimeJoined+": %q", ns.Path)
	}
	offsets := make(map[string]specs.LinuxTimeOffset, 2)
	for clock, offset := range c.plan.TimeOffsets {
		offsets[clock] = offset
	}
	for line := range strings.Lines(text) {
		clock, offset, ok := parseTimeOffset(line)
		if !ok {
			return fault.New(field, "%q is not a clock (monotonic or boottime) with seconds and nanoseconds", strings.TrimSuffix(line, "\n"))
		}
		if other, twice := offsets[clock]; twice && other != offset {
			return fault.New(field, "another offset of %s than before, or in linux.timeOffsets: %d s and %d ns, not %d s and %d ns",
				clock, offset.Secs, offset.Nanosecs, other.Secs, other.Nanosecs)
		}
		offsets[clock] = offset
	}
	c.plan.TimeOffsets = offsets
	return nil
}

// parseTimeOffset parses one line. A clock is a name or a number (CLOCK_MONOTONIC,
// CLOCK_BOOTTIME).
func parseTimeOffset(line string) (clock string, offset specs.LinuxTimeOffset, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return "", offset, false
	}
	switch clock = fields[0]; clock {
	case "1":
		clock = "monotonic"
	case "7":
		clock = "boottime"
	case "monotonic", "boottime":
	default:
		return "", offset, false
	}
	secs, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return "", offset, false
	}
	nanosecs, err := strconv.ParseUint(fields[2], 10, 32)
	if err != nil || nanosecs >= 1e9 {
		return "", offset, false
	}
	return clock, specs.LinuxTimeOffset{Secs: secs, Nanosecs: uint32(nanosecs)}, true
}

// mountContexts are the SELinux mount options that set a label (mount(8)).
var mountContexts = [...]string{"context", "fscontext", "defcontext", "rootcontext"}

// mountContext returns the mount option that sets linux.mountLabel, "" for the default.
func (c *conversion) mountContext() (string, error) {
	context := c.plan.Annotations[annotationMountContext]
	if context != "" && !slices.Contains(mountContexts[:], context) {
		return "", fault.New(annotationField(annotationMountContext), "%q is not one of %s", context, strings.Join(mountContexts[:], ", "))
	}
	return context, nil
}
