// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path"

	"github.com/berth-run/berth/specconv/internal/fault"
)

// Both come from crun. The receiver is older than listenerPath in the spec.
const (
	annotationSeccompReceiver    = "run.oci.seccomp.receiver"
	annotationSeccompFailUnknown = "run.oci.seccomp_fail_unknown_syscall"
)

// seccomp completes the profile. Package seccomp checks its values.
func (c *conversion) seccomp() error {
	c.plan.Seccomp = c.linux.Seccomp
	// As in crun, any value but "0" switches it on.
	value, ok := c.spec.Annotations[annotationSeccompFailUnknown]
	c.plan.SeccompKnownOnly = ok && value != "0"
	receiver, ok := c.spec.Annotations[annotationSeccompReceiver]
	if !ok || c.plan.Seccomp == nil {
		return nil
	}
	field := annotationField(annotationSeccompReceiver)
	if !path.IsAbs(receiver) {
		return fault.New(field, "not an absolute path: %q", receiver)
	}
	if err := fault.NoNUL(field, receiver); err != nil {
		return err
	}
	// The field of the spec takes precedence over the annotation.
	if c.plan.Seccomp.ListenerPath != "" {
		return nil
	}
	profile := *c.plan.Seccomp
	profile.ListenerPath = receiver
	c.plan.Seccomp = &profile
	return nil
}
