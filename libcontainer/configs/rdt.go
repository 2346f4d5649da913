// SPDX-License-Identifier: Apache-2.0

package configs

// IntelRdt is linux.intelRdt: the container's place in the resctrl file system.
type IntelRdt struct {
	// ClosID names the group; "" is one named like the container, "/" the
	// root group. It has no other slash and is never "." or "..".
	ClosID string
	// Schemata are lines for the group's schemata file: linux.intelRdt's
	// l3CacheSchema, memBwSchema and schemata, in this order, since later
	// lines win.
	Schemata []string
	// Monitoring asks for a monitoring group of the container's own.
	Monitoring bool
}
