// SPDX-License-Identifier: Apache-2.0

package libcontainer

import "github.com/berth-run/berth/libcontainer/internal/doctor"

// Condition is one thing that containers need of a host, or may need.
type Condition = doctor.Condition

// ExamineOptions are [Examine]'s.
type ExamineOptions = doctor.Options

// Examine finds out whether this host can run containers, or those of a plan.
func Examine(o *ExamineOptions) []Condition { return doctor.Examine(o) }
