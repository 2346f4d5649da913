// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/nearest"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// rlimitNames has the name of each limit at the index of its number (getrlimit(2)).
var rlimitNames = [...]string{
	unix.RLIMIT_AS:         "RLIMIT_AS",
	unix.RLIMIT_CORE:       "RLIMIT_CORE",
	unix.RLIMIT_CPU:        "RLIMIT_CPU",
	unix.RLIMIT_DATA:       "RLIMIT_DATA",
	unix.RLIMIT_FSIZE:      "RLIMIT_FSIZE",
	unix.RLIMIT_LOCKS:      "RLIMIT_LOCKS",
	unix.RLIMIT_MEMLOCK:    "RLIMIT_MEMLOCK",
	unix.RLIMIT_MSGQUEUE:   "RLIMIT_MSGQUEUE",
	unix.RLIMIT_NICE:       "RLIMIT_NICE",
	unix.RLIMIT_NOFILE:     "RLIMIT_NOFILE",
	unix.RLIMIT_NPROC:      "RLIMIT_NPROC",
	unix.RLIMIT_RSS:        "RLIMIT_RSS",
	unix.RLIMIT_RTPRIO:     "RLIMIT_RTPRIO",
	unix.RLIMIT_RTTIME:     "RLIMIT_RTTIME",
	unix.RLIMIT_SIGPENDING: "RLIMIT_SIGPENDING",
	unix.RLIMIT_STACK:      "RLIMIT_STACK",
}

// rlimits checks process.rlimits. A duplicate limit is an error (config.md, POSIX process): it
// would not be clear which one counts.
func rlimits(p *specs.Process, plan *configs.Process, _ *Options) error {
	var errs fault.List
	for i, r := range p.Rlimits {
		n := slices.Index(rlimitNames[:], r.Type)
		switch {
		case n < 0:
			errs.Add(fault.New(fault.Element("rlimits", i)+".type", "%s: %s: unknown rlimit type%s",
				configs.PhraseRlimit, r.Type, nearRlimit(r.Type)))
		case slices.ContainsFunc(plan.Rlimits, func(l configs.Rlimit) bool { return l.Resource == n }):
			errs.Add(fault.New(fault.Element("rlimits", i)+".type", "duplicate rlimit type %q", r.Type))
		case r.Soft > r.Hard:
			errs.Add(fault.New(fault.Element("rlimits", i)+".soft", "the soft limit %d is above the hard limit %d of %s ("+configs.PhraseSetRlimit+")", r.Soft, r.Hard, r.Type, n))
		}
		plan.Rlimits = append(plan.Rlimits, configs.Rlimit{Name: r.Type, Resource: n, Soft: r.Soft, Hard: r.Hard})
	}
	return errs.Err()
}

// nearRlimit is [nearest.Hint] without the part that all names have.
func nearRlimit(name string) string {
	const prefix = "RLIMIT_"
	var known []string
	for _, n := range rlimitNames {
		known = append(known, strings.TrimPrefix(n, prefix))
	}
	if near := nearest.Of(strings.TrimPrefix(name, prefix), known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", prefix+near)
	}
	return ""
}
