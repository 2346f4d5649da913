// SPDX-License-Identifier: Apache-2.0

// Package attr sets, from outside, the attributes of a process besides its program: scheduler
// and priorities, resource limits, OOM score. It also checks that the host has the security
// modules that the process's labels are for.
package attr

import (
	"bytes"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/landlock"
	"golang.org/x/sys/unix"
)

// CheckLabels drops labels that ask for nothing. It refuses a process that is to be confined by
// a security module that the kernel does not run: it would be less confined than its config
// says.
func CheckLabels(p *configs.Process) error {
	if p.AppArmorProfile == "unconfined" && !HaveAppArmor() {
		p.AppArmorProfile = "" // it is unconfined already
	}
	if p.AppArmorProfile != "" && !HaveAppArmor() {
		return codes.With(codes.LabelFailed, fmt.Errorf("process.apparmorProfile: %s: AppArmor is not enabled", configs.PhraseAppArmor))
	}
	if p.SELinuxLabel != "" && !HaveSELinux() {
		return codes.With(codes.LabelFailed, fmt.Errorf("process.selinuxLabel: %s: SELinux is not enabled", configs.PhraseSELinux))
	}
	return checkLandlock(p.Landlock)
}

func checkLandlock(l *configs.Landlock) error {
	if l == nil {
		return nil
	}
	abi, err := landlock.ABI()
	if err != nil {
		return fmt.Errorf("%s: this kernel has no Landlock: %s", configs.LandlockField, err.Error())
	}
	if abi < l.ABI {
		return fmt.Errorf("%s.abi: needs Landlock ABI %d, this kernel has %d", configs.LandlockField, l.ABI, abi)
	}
	return nil
}

// MountLabel returns the label to mount file systems with. Without SELinux it has no meaning,
// but engines set it all the same.
func MountLabel(cfg *configs.Config) configs.MountLabel {
	if !HaveSELinux() {
		return configs.MountLabel{}
	}
	return cfg.MountLabel
}

// HaveSELinux reports whether the kernel runs SELinux with a policy. Only then is its file
// system mounted. Without a policy the kernel accepts any label and confines nobody.
func HaveSELinux() bool {
	var st unix.Statfs_t
	if unix.Statfs("/sys/fs/selinux", &st) != nil || st.Type != unix.SELINUX_MAGIC {
		return false
	}
	label, err := os.ReadFile("/proc/self/attr/current")
	return err == nil && isPolicyLabel(label)
}

// isPolicyLabel reports whether a process's label is USER:ROLE:TYPE. Without a policy it is
// "kernel", or "init" since Linux 6.8.
func isPolicyLabel(label []byte) bool { return bytes.IndexByte(label, ':') > 0 }

// HaveAppArmor reports whether the kernel runs AppArmor. If it is built in and disabled, the
// file contains an N.
func HaveAppArmor() bool {
	data, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && len(data) > 0 && data[0] == 'Y'
}
