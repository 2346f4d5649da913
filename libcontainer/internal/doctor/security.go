// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/landlock"
	"github.com/berth-run/berth/seccomp"
)

// security looks for what confines programs.
func (x *examination) security() {
	x.filters()
	c := &Condition{Area: "security", Name: "Landlock", Status: OK, Effect: "the annotation " + configs.LandlockAnnotation + " is refused"}
	switch abi, err := landlock.ABI(); {
	case err != nil:
		c.Status, c.Found = Missing, err.Error()
		c.Mend, c.Command = "boot Linux 5.13 or newer with it, and name it on the kernel's command line", "lsm=landlock,…"
	case abi < configs.LandlockABI:
		c.Status, c.Found = Limited, fmt.Sprintf("ABI %d; berth knows up to %d", abi, configs.LandlockABI)
		c.Mend = "boot a newer kernel for the rest"
	default:
		c.Found = fmt.Sprintf("ABI %d", abi)
	}
	x.add(c)
	x.modules()
}

// filters looks at seccomp.
func (x *examination) filters() {
	c := &Condition{Area: "security", Name: "seccomp", Status: OK, Effect: "a config with linux.seccomp is refused"}
	actions, err := os.ReadFile("/proc/sys/kernel/seccomp/actions_avail")
	switch {
	case !seccomp.Enabled():
		c.Status, c.Mend = Missing, "this build of berth has no table of this machine's system calls"
	case err != nil:
		c.Status, c.Found = Missing, err.Error()
		c.Mend = "boot a kernel with CONFIG_SECCOMP_FILTER"
	default:
		c.Found = strings.TrimSpace(string(actions))
	}
	x.add(c)
	notify := &Condition{Area: "security", Name: "seccomp notifications", Status: OK, Effect: "SCMP_ACT_NOTIFY is refused"}
	if !strings.Contains(string(actions), "user_notif") {
		notify.Status, notify.Mend = Missing, "boot Linux 5.0 or newer"
	}
	x.add(notify)
	supported := seccomp.SupportedFlags()
	for _, flag := range seccomp.KnownFlags() {
		f := &Condition{Area: "security", Name: flag, Status: OK, Effect: "a profile with the flag is refused"}
		if !slices.Contains(supported, flag) {
			f.Status, f.Mend = Missing, "boot a newer kernel"
		}
		x.add(f)
	}
}

// modules looks at the security modules.
func (x *examination) modules() {
	list, err := os.ReadFile("/sys/kernel/security/lsm")
	c := &Condition{Area: "security", Name: "security modules", Status: OK, Found: strings.ReplaceAll(strings.TrimSpace(string(list)), ",", " ")}
	if err != nil {
		c.Status, c.Found = Unknown, "/sys/kernel/security is not mounted"
		c.Mend, c.Command = "mount it", "mount -t securityfs securityfs /sys/kernel/security"
	}
	x.add(c)
	for _, m := range [...]struct {
		name, effect, mend, command string
		have                        func() bool
	}{
		{"AppArmor", "process.apparmorProfile is refused", "enable it on the kernel's command line", "apparmor=1 security=apparmor", attr.HaveAppArmor},
		{"SELinux", "process.selinuxLabel is refused", "install a policy, and enable it on the kernel's command line", "security=selinux selinux=1", attr.HaveSELinux},
	} {
		c := &Condition{Area: "security", Name: m.name, Status: OK, Effect: m.effect}
		if !m.have() {
			// Most hosts have one of them or none: only a config can miss it.
			c.Status, c.Mend, c.Command = Missing, m.mend, m.command
			if x.o.For == nil {
				c.Status = Unused
			}
		}
		x.add(c)
	}
}
