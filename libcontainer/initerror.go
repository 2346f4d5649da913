// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// describe is describeInitError for the container's own init.
func (cr *creation) describe(err error) error {
	return describeInitError(err, cr.cfg.Namespaces, &cr.cfg.Process)
}

// describeInitError adds what a failure of init means to the one who reads it. joined
// are the namespaces that it may have been about to join, and p is what it was to become.
func describeInitError(err error, joined configs.Namespaces, p *configs.Process) error {
	var step *nsenter.StepError
	if !errors.As(err, &step) {
		return err
	}
	if field := initField(step, joined); field != "" {
		err = fmt.Errorf("%s: %w", field, err)
	}
	if why := initReason(step, p); why != "" {
		err = fmt.Errorf("%w (%s)", err, why)
	}
	return fmt.Errorf("unable to start container process: %w", err)
}

// initField is the field of the config that a step of init carries out; "" when the
// error of the step tells enough.
func initField(step *nsenter.StepError, joined configs.Namespaces) string {
	switch step.Step {
	case nsenter.StepPersonality:
		return "linux.personality"
	case nsenter.StepMemoryPolicy:
		return "linux.memoryPolicy"
	case nsenter.StepAppArmor:
		return "process.apparmorProfile"
	case nsenter.StepSELinux:
		return "process.selinuxLabel"
	case nsenter.StepSetgroups:
		return "process.user.additionalGids"
	case nsenter.StepSetgid:
		return "process.user.gid"
	case nsenter.StepSetuid:
		return "process.user.uid"
	case nsenter.StepJoin:
		for _, ns := range joined {
			if ns.Path == step.Detail {
				return ns.Field
			}
		}
	}
	return ""
}

// initReason says what the kernel's error number stands for in a step; "" when it is
// clear, or cannot be told.
func initReason(step *nsenter.StepError, p *configs.Process) string {
	const unmapped = "%d is not mapped in the user namespace"
	switch {
	case step.Step == nsenter.StepMemoryPolicy && step.Errno == unix.ENOSYS:
		return "the kernel has no NUMA support"
	case step.Step == nsenter.StepSetgid && step.Errno == unix.EINVAL:
		return fmt.Sprintf(unmapped, p.GID)
	case step.Step == nsenter.StepSetuid && step.Errno == unix.EINVAL:
		return fmt.Sprintf(unmapped, p.UID)
	case step.Step == nsenter.StepSetgroups && step.Errno == unix.EINVAL:
		return fmt.Sprintf("not all of %d are mapped in the user namespace", p.AdditionalGIDs)
	case step.Step == nsenter.StepSetgroups && step.Errno == unix.EPERM:
		return "the user namespace may deny it: see /proc/PID/setgroups in user_namespaces(7)"
	}
	return ""
}
