// SPDX-License-Identifier: Apache-2.0

package configs

// IntelRdt is linux.intelRdt: the container's place in the resctrl file system.
type IntelRdt struct {
	// ClosID names the group; "" means one named after the container, "/" the root group. It
	// has no other slash and is never "." or "..".
	ClosID string
	// Schemata are lines for the group's schemata file: l3CacheSchema, memBwSchema and schemata
	// of linux.intelRdt, in this order, since later lines override earlier ones.
	Schemata []string
	// Monitoring asks for a monitoring group for this container alone.
	Monitoring bool
}
