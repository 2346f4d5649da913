// SPDX-License-Identifier: Apache-2.0

package libcontainer

// Processes lists the processes of the container by their pids on the host, those
// that exec has added included. A container that has stopped may still have some, if
// it shares a pid namespace.
func (c *Container) Processes() ([]int, error) {
	m, err := c.cgroup()
	if err != nil {
		return nil, err
	}
	return m.Pids()
}
