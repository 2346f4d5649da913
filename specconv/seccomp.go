// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path"

	"github.com/berth-run/berth/specconv/internal/fault"
)

// Both are crun's; the receiver is from before the spec had listenerPath.
const (
	annotationSeccompReceiver    = "run.oci.seccomp.receiver"
	annotationSeccompFailUnknown = "run.oci.seccomp_fail_unknown_syscall"
)

// seccomp completes the profile. Its values are for package seccomp to check, which
// knows them.
func (c *conversion) seccomp() error {
	c.plan.Seccomp = c.linux.Seccomp
	// As crun has it: all but "0" switches it on.
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
	// What the spec has a field for is not overruled by what it does not know.
	if c.plan.Seccomp.ListenerPath != "" {
		return nil
	}
	profile := *c.plan.Seccomp
	profile.ListenerPath = receiver
	c.plan.Seccomp = &profile
	return nil
}
