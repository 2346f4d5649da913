// SPDX-License-Identifier: Apache-2.0

package specconv

import "path"

// annotationSeccompReceiver is crun's, from before the spec had listenerPath.
const annotationSeccompReceiver = "run.oci.seccomp.receiver"

// seccomp completes the profile. Its values are for package seccomp to check, which
// knows them.
func (c *conversion) seccomp() error {
	c.plan.Seccomp = c.linux.Seccomp
	receiver, ok := c.spec.Annotations[annotationSeccompReceiver]
	if !ok || c.plan.Seccomp == nil {
		return nil
	}
	field := annotationField(annotationSeccompReceiver)
	if !path.IsAbs(receiver) {
		return fault(field, "not an absolute path: %q", receiver)
	}
	if err := noNUL(field, receiver); err != nil {
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
