// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/nearest"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// suggest returns what could be written in a field for whose error this is the reason; "" if there
// is no good guess. The errors themselves have few hints, since some of their texts are runc's.
func suggest(field, reason string) string {
	value := firstQuoted(reason)
	switch {
	case strings.Contains(reason, "absolute path") && value != "":
		return strconv.Quote("/" + strings.TrimLeft(value, "./"))
	case strings.HasPrefix(field, "linux.namespaces[") && strings.Contains(reason, "unknown"):
		if value == "net" || value == "mnt" {
			return strconv.Quote(map[string]string{"net": "network", "mnt": "mount"}[value])
		}
	case strings.HasPrefix(field, "linux.seccomp") && strings.Contains(reason, "valid action"):
		return near(nthWord(reason, 1), actionNames())
	case field == "linux.rootfsPropagation":
		return near(value, names(rootPropagations))
	case strings.HasPrefix(field, "process.scheduler.policy"):
		_, name, _ := strings.Cut(reason, ": ")
		return near(withPrefix("SCHED_", name), names(schedulerPolicies))
	case strings.HasPrefix(field, "process.ioPriority.class"):
		return near(withPrefix("IOPRIO_CLASS_", value), names(ioPriorityClasses))
	case field == "process.cwd" && strings.Contains(reason, "empty"):
		return `"/"`
	case field == "process.args" && strings.Contains(reason, "empty"):
		return `["sh"]`
	case field == "root" && strings.Contains(reason, "specified"):
		return `{"path": "rootfs"}`
	case strings.HasPrefix(field, "process.env[") && strings.Contains(reason, "missing '='"):
		return strconv.Quote(value + "=")
	}
	return ""
}

func near(value string, known []string) string {
	if w := nearest.Of(value, known); w != "" {
		return strconv.Quote(w)
	}
	return ""
}

func withPrefix(prefix, name string) string {
	if upper := strings.ToUpper(name); !strings.HasPrefix(upper, prefix) {
		return prefix + upper
	}
	return name
}

// firstQuoted returns the first text in double quotes.
func firstQuoted(reason string) string {
	i := strings.IndexByte(reason, '"')
	if i < 0 {
		return ""
	}
	q, err := strconv.QuotedPrefix(reason[i:])
	if err != nil {
		return ""
	}
	s, _ := strconv.Unquote(q)
	return s
}

// nthWord returns the word of a text with that index.
func nthWord(text string, i int) string {
	words := strings.Fields(text)
	if i >= len(words) {
		return ""
	}
	return words[i]
}

func actionNames() []string {
	var all []string
	for _, a := range [...]specs.LinuxSeccompAction{
		specs.ActAllow, specs.ActErrno, specs.ActKill, specs.ActKillProcess, specs.ActKillThread,
		specs.ActLog, specs.ActNotify, specs.ActTrace, specs.ActTrap,
	} {
		all = append(all, string(a))
	}
	return all
}
