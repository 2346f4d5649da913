// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path"
	"strconv"
)

// The annotations that change what berth does. They are crun's, and engines
// (Podman) set them; all others are only handed on.
const (
	annotationKeepGroups    = "run.oci.keep_original_groups"
	annotationHookStdout    = "run.oci.hooks.stdout"
	annotationHookStderr    = "run.oci.hooks.stderr"
	annotationPIDFDReceiver = "run.oci.pidfd_receiver"
)

// annotations takes over those that are about the plan. It comes after process.
func (c *conversion) annotations() error {
	// Its presence counts, whatever its value.
	_, c.plan.Process.KeepGroups = c.spec.Annotations[annotationKeepGroups]
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
		field := "annotations[" + strconv.Quote(a.key) + "]"
		// A relative one would mean another file to each command: create and
		// delete run in different directories.
		if !path.IsAbs(value) {
			return fault(field, "not an absolute path: %q", value)
		}
		if err := noNUL(field, value); err != nil {
			return err
		}
		*a.to = value
	}
	return nil
}
