// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
)

// intelRdt checks linux.intelRdt. The name becomes a directory in the resctrl file system and
// must not lead out of it. The kernel checks the schemata.
func (c *conversion) intelRdt() error {
	r := c.linux.IntelRdt
	if r == nil {
		return nil
	}
	if id := r.ClosID; id == "." || id == ".." || id != "/" && strings.Contains(id, "/") {
		return fault.New("intelRdt.closID", "%s %q: not the name of a group", configs.PhraseClosID, id)
	}
	if err := fault.NoNUL("intelRdt.closID", r.ClosID); err != nil {
		return err
	}
	plan := &configs.IntelRdt{ClosID: r.ClosID, Monitoring: r.EnableMonitoring}
	for _, line := range [...]string{r.L3CacheSchema, r.MemBwSchema} {
		if line != "" {
			plan.Schemata = append(plan.Schemata, line)
		}
	}
	plan.Schemata = append(plan.Schemata, r.Schemata...)
	c.plan.IntelRdt = plan
	return nil
}
