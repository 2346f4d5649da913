// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// flagTSYNC is in the spec but not in its Go package.
const flagTSYNC specs.LinuxSeccompFlag = "SECCOMP_FILTER_FLAG_TSYNC"

// filterFlag is one flag of the spec.
type filterFlag struct {
	name specs.LinuxSeccompFlag
	// bits are passed to seccomp(2); 0 for a flag that has no effect.
	bits uint32
	// probe are the bits with which to probe for the flag.
	probe uint32
}

// filterFlagNames are the spec's flags. TSYNC concerns the other threads of the process that
// loads the filter, and init has none. WAIT_KILLABLE_RECV is refused without a listener, so its
// probe has one.
var filterFlagNames = [...]filterFlag{
	{specs.LinuxSeccompFlagLog, unix.SECCOMP_FILTER_FLAG_LOG, unix.SECCOMP_FILTER_FLAG_LOG},
	{specs.LinuxSeccompFlagSpecAllow, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{flagTSYNC, 0, unix.SECCOMP_FILTER_FLAG_TSYNC},
	{
		specs.LinuxSeccompFlagWaitKillableRecv, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER,
	},
}

// filterFlags converts the profile's flags. A profile without flags (not even an empty list)
// gets SPEC_ALLOW: the mitigation that a filter otherwise turns on halves the speed of some
// interpreters, and has nothing to do with the purpose of the filter.
func filterFlags(list []specs.LinuxSeccompFlag) (uint32, error) {
	if list == nil {
		if haveFlags(unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW) != nil {
			return 0, nil
		}
		return unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, nil
	}
	var flags uint32
	for i, name := range list {
		f, ok := findFlag(name)
		if !ok {
			return 0, fmt.Errorf("linux.seccomp.flags[%d]: "+configs.PhraseSeccompFlag, i, name)
		}
		if err := haveFlags(f.probe); errors.Is(err, errors.ErrUnsupported) {
			return 0, fmt.Errorf("linux.seccomp.flags[%d]: %s: %w", i, name, err)
		}
		flags |= f.bits
	}
	return flags, nil
}

func findFlag(name specs.LinuxSeccompFlag) (filterFlag, bool) {
	for _, f := range filterFlagNames {
		if f.name == name {
			return f, true
		}
	}
	return filterFlag{}, false
}

// haveFlags probes for flags of SECCOMP_SET_MODE_FILTER. It returns nil if the kernel has them,
// errors.ErrUnsupported if not, and another error if that cannot be found out, for example
// under a filter that forbids seccomp(2). The call passes no program, for which the kernel
// returns EFAULT after it has accepted the flags. So nothing is loaded.
func haveFlags(flags uint32) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), 0)
	switch errno {
	case unix.EFAULT:
		return nil
	case unix.EINVAL, unix.ENOSYS:
		return fmt.Errorf("this kernel does not have it: %w", errors.ErrUnsupported)
	}
	return fmt.Errorf("seccomp: %w", errno)
}
