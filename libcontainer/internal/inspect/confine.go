// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"golang.org/x/sys/unix"
)

// capabilities compares the five sets.
func (in *inspection) capabilities() {
	p := in.asked.Process
	known := in.knownCapabilities()
	for _, set := range [...]struct {
		name, field string
		asked       func(*configs.Capabilities) uint64
	}{
		{"bounding", "CapBnd", func(c *configs.Capabilities) uint64 { return c.Bounding }},
		{"effective", "CapEff", func(c *configs.Capabilities) uint64 { return c.Effective }},
		{"permitted", "CapPrm", func(c *configs.Capabilities) uint64 { return c.Permitted }},
		{"inheritable", "CapInh", func(c *configs.Capabilities) uint64 { return c.Inheritable }},
		{"ambient", "CapAmb", func(c *configs.Capabilities) uint64 { return c.Ambient }},
	} {
		bits, err := strconv.ParseUint(in.status[set.field], 16, 64)
		if err != nil {
			in.unreadable("capabilities", set.name, err)
			continue
		}
		asked := ""
		if p != nil {
			asked = orNone(configs.NamesOf(set.asked(&p.Capabilities) & known))
		}
		item := in.compare("capabilities", set.name, asked, orNone(configs.NamesOf(bits)))
		if item.Differs {
			item.Note = capabilityNote(set.name, p, bits, set.asked(&p.Capabilities))
		}
	}
}

// knownCapabilities are those that this kernel has: it drops others.
func (in *inspection) knownCapabilities() uint64 {
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return ^uint64(0)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(last)))
	if err != nil || n < 0 || n > 62 {
		return ^uint64(0)
	}
	return 1<<(n+1) - 1
}

// capabilityNote explains what execve(2) makes of the sets (capabilities(7)).
func capabilityNote(set string, p *configs.Process, bits, asked uint64) string {
	switch {
	case set != "effective" && set != "permitted":
		return "the program has changed it itself, or berth was not allowed to set it"
	case p.UID != 0 && bits == p.Capabilities.Ambient:
		return fmt.Sprintf("user %d is not root: at the exec only the ambient ones remain", p.UID)
	case p.UID == 0 && bits == p.Capabilities.Bounding|p.Capabilities.Inheritable:
		return "root gets the bounding and inheritable ones at the exec"
	case bits&^asked == 0:
		return "the program has dropped some"
	}
	return "a file capability, or the program itself, has changed it"
}

// confinement compares seccomp, no_new_privs and the labels.
func (in *inspection) confinement() {
	asked := "none"
	if in.rec.Saved.Filtered {
		asked = "filter"
	}
	mode, ok := map[string]string{"0": "none", "1": "strict", "2": "filter"}[in.status["Seccomp"]]
	if !ok {
		mode = "unknown"
	}
	item := in.compare("confinement", "seccomp", asked, mode)
	if asked == "none" && mode == "filter" {
		item.Note = "inherited from the caller, or the program's own"
	}
	in.filters()
	p := in.asked.Process
	asked = ""
	if p != nil {
		asked = yesNo(p.NoNewPrivileges)
	}
	in.compare("confinement", "no new privileges", asked, yesNo(in.status["NoNewPrivs"] == "1"))
	in.label("AppArmor profile", "attr/apparmor/current", attr.HaveAppArmor(), func(p *configs.Process) string { return p.AppArmorProfile })
	in.label("SELinux label", "attr/selinux/current", attr.HaveSELinux(), func(p *configs.Process) string { return p.SELinuxLabel })
}

// filters compares how many filters there are, besides those that berth has itself.
func (in *inspection) filters() {
	n, err := strconv.Atoi(in.status["Seccomp_filters"])
	if err != nil {
		return // since Linux 5.9
	}
	own, asked := 0, 0
	if text, err := os.ReadFile("/proc/self/status"); err == nil {
		own, _ = strconv.Atoi(fields(string(text))["Seccomp_filters"])
	}
	if in.rec.Saved.Filtered {
		asked = 1
	}
	item := in.compare("confinement", "seccomp filters", strconv.Itoa(asked), strconv.Itoa(n))
	if own > 0 && n == asked+own {
		item.Differs, item.Note = false, fmt.Sprintf("%d of them inherited, as berth itself has", own)
	}
	if item.Differs && n > asked {
		item.Note = "the program has loaded more, or the caller of create had some"
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// label compares the label of a security module, if the kernel runs it.
func (in *inspection) label(name, file string, runs bool, of func(*configs.Process) string) {
	asked := ""
	if in.asked.Process != nil {
		asked = of(in.asked.Process)
	}
	if !runs {
		if asked != "" {
			in.compare("confinement", name, asked, "none").Note = "the kernel does not run the module"
		}
		return
	}
	text, err := os.ReadFile(in.dir + "/" + file)
	if err != nil {
		if asked != "" {
			in.unreadable("confinement", name, err)
		}
		return
	}
	effective := strings.Trim(string(text), "\x00\n ")
	item := in.compare("confinement", name, asked, effective)
	if profile, mode, ok := strings.Cut(effective, " ("); ok && profile == asked { // "docker-default (enforce)"
		item.Differs = mode != "enforce)"
	}
}

// rlimits compares the resource limits that the config names, and shows the others. prlimit(2) would
// need the right to change them.
func (in *inspection) rlimits() {
	text, err := os.ReadFile(in.dir + "/limits")
	if err != nil {
		in.unreadable("rlimits", "all", err)
		return
	}
	have := limitTable(string(text))
	for n, l := range limitNames() {
		effective, ok := have[l.kernel]
		if !ok {
			continue
		}
		asked := ""
		if p := in.asked.Process; p != nil {
			for _, r := range p.Rlimits {
				if r.Resource == n {
					asked = rlimitText(number(r.Soft), number(r.Hard))
				}
			}
		}
		in.compare("rlimits", l.name, asked, effective)
	}
}

// limitTable parses /proc/PID/limits (proc_pid_limits(5)). Its columns have a fixed width.
func limitTable(text string) map[string]string {
	const nameWidth = 26
	all := make(map[string]string)
	for line := range strings.Lines(text) {
		if len(line) <= nameWidth {
			continue
		}
		values := strings.Fields(line[nameWidth:])
		if len(values) >= 2 {
			all[strings.TrimSpace(line[:nameWidth])] = rlimitText(values[0], values[1])
		}
	}
	return all
}

// limitNames has the names of getrlimit(2) and of /proc/PID/limits at their numbers.
func limitNames() []struct{ name, kernel string } {
	return []struct{ name, kernel string }{
		{"RLIMIT_CPU", "Max cpu time"},
		{"RLIMIT_FSIZE", "Max file size"},
		{"RLIMIT_DATA", "Max data size"},
		{"RLIMIT_STACK", "Max stack size"},
		{"RLIMIT_CORE", "Max core file size"},
		{"RLIMIT_RSS", "Max resident set"},
		{"RLIMIT_NPROC", "Max processes"},
		{"RLIMIT_NOFILE", "Max open files"},
		{"RLIMIT_MEMLOCK", "Max locked memory"},
		{"RLIMIT_AS", "Max address space"},
		{"RLIMIT_LOCKS", "Max file locks"},
		{"RLIMIT_SIGPENDING", "Max pending signals"},
		{"RLIMIT_MSGQUEUE", "Max msgqueue size"},
		{"RLIMIT_NICE", "Max nice priority"},
		{"RLIMIT_RTPRIO", "Max realtime priority"},
		{"RLIMIT_RTTIME", "Max realtime timeout"},
	}
}

func number(v uint64) string {
	if v == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return strconv.FormatUint(v, 10)
}

func rlimitText(soft, hard string) string { return "soft " + soft + ", hard " + hard }
