// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/berth-run/berth/libcontainer/codec"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const (
	// StateFile has the [State].
	StateFile = "state.json"
	// FifoFile is what start writes to and init reads.
	FifoFile = "exec.fifo"
	// ReportFile is what init writes to and start reads.
	ReportFile = "exec.report"
	// ProcessFile is the process of config.json as it stands there, of which exec makes others.
	ProcessFile = "process.json"
	// FilterFile is the compiled seccomp filter.
	FilterFile = "seccomp.bpf"
	// StateFormat is State.Format.
	StateFormat = 1
)

// State is the content of state.json. It is a separate format from configs.Config, because a newer
// berth must read what an older one wrote: fields are only added, and Format changes if a field
// changes its meaning.
type State struct {
	// Owner is the owner of the file.
	Owner uint32 `json:"-"`

	Format      int               `json:"format"`
	ID          string            `json:"id"`
	OCIVersion  string            `json:"ociVersion"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// PID is 0 until init has everything it needs to outlive the create. Before that, it
	// exits when the create dies.
	PID int `json:"pid"`
	// StartTime is field 22 of /proc/PID/stat, in clock ticks since boot. Together with PID
	// it identifies one process, even if the number is reused.
	StartTime uint64 `json:"startTime"`
	// SharedPID means that the container has no pid namespace of its own, so its processes
	// can outlive init.
	SharedPID bool `json:"sharedPID,omitempty"`
	// CgroupPlan are those of cgroups.Manager.Paths at which there was no cgroup when the
	// create began. It is set until CgroupPaths and CgroupClaims are.
	CgroupPlan map[string]string `json:"cgroupPlan,omitempty"`
	// CgroupPaths and CgroupClaims are cgroups.Manager.Paths and Claims of the cgroups that
	// have been made.
	CgroupPaths  map[string]string `json:"cgroupPaths,omitempty"`
	CgroupClaims map[string]string `json:"cgroupClaims,omitempty"`
	// CgroupRootless is configs.Cgroup.Rootless.
	CgroupRootless bool `json:"cgroupRootless,omitempty"`
	// Resources is linux.resources without devices, as changed by updates. It is kept
	// encoded, because only the next update decodes it.
	Resources json.RawMessage `json:"resources,omitempty"`
	// Namespaces are the kinds of namespace that the container does not share with the
	// runtime, as the OR of their CLONE_NEW* flags.
	Namespaces uint32 `json:"namespaces,omitempty"`
	// JoinedNamespaces are those that the container has joined by path.
	JoinedNamespaces uint32 `json:"joinedNamespaces,omitempty"`
	// RootfsPropagation and MountLabel are configs.Config's.
	RootfsPropagation uint64 `json:"rootfsPropagation,omitempty"`
	MountLabel        string `json:"mountLabel,omitempty"`
	// RootMount is the field of the mount that is the root file system in place of Rootfs
	// (configs.Config.RootMount), "" if there is none.
	RootMount string `json:"rootMount,omitempty"`
	// NoNewKeyring is configs.Config.NoNewKeyring.
	NoNewKeyring bool `json:"noNewKeyring,omitempty"`
	// Personality is the execution domain; nil keeps the caller's.
	Personality *uint32 `json:"personality,omitempty"`
	// MemoryPolicy is configs.Config.MemoryPolicy.
	MemoryPolicy *configs.MemoryPolicy `json:"memoryPolicy,omitempty"`
	// Filtered means that there is a FilterFile; FilterFlags are its flags for seccomp(2).
	Filtered    bool   `json:"filtered,omitempty"`
	FilterFlags uint32 `json:"filterFlags,omitempty"`
	// ListenerPath and ListenerMetadata are those of the seccomp profile, if its filter
	// sends notifications.
	ListenerPath     string `json:"listenerPath,omitempty"`
	ListenerMetadata string `json:"listenerMetadata,omitempty"`
	// SystemdUnit is the name of cgroups.Manager.Unit. While there is a CgroupPlan, it is
	// set only if the plan has the unit's cgroup.
	SystemdUnit string `json:"systemdUnit,omitempty"`
	// SystemdUser is the user whose service manager has the unit; 0 for the host's.
	SystemdUser int `json:"systemdUser,omitempty"`
	// CgroupSubgroup is the path, below the container's cgroup (v2), of the cgroup in which
	// its processes start; "" if that is the container's cgroup itself.
	CgroupSubgroup string `json:"cgroupSubgroup,omitempty"`
	// ResctrlGroups are the directories of the resctrl file system that exist for this
	// container only, in the order in which to remove them.
	ResctrlGroups []string `json:"resctrlGroups,omitempty"`
	// ResctrlDir is the container's resctrl group, which other containers may share; "" if
	// the config asks for none.
	ResctrlDir string `json:"resctrlDir,omitempty"`
	// Network are the interfaces that berth makes. They are saved before they are made.
	Network []Interface `json:"network,omitempty"`
	// RootfsMountID is the id of the mount that Rootfs was on before the create, if the
	// container shares the host's mount namespace: what is mounted on top of it belongs to
	// the container. Otherwise it is 0.
	RootfsMountID uint64 `json:"rootfsMountID,omitempty"`
	// Poststart and Poststop hooks are run by later commands.
	Poststart []specs.Hook `json:"poststart,omitempty"`
	Poststop  []specs.Hook `json:"poststop,omitempty"`
	// HookStdout and HookStderr are the files that hooks write to, if any.
	HookStdout string `json:"hookStdout,omitempty"`
	HookStderr string `json:"hookStderr,omitempty"`
}

// ErrBroken is the error for a state.json that no version of berth has written.
var ErrBroken = codes.New(codes.StateInvalid, "not the state of a container")

// Read reads state.json in dir.
func Read(dir string) (*State, error) {
	path := filepath.Join(dir, StateFile)
	data, owner, err := sysfile.ReadOwned(path)
	if errors.Is(err, sysfile.ErrNotRegular) || errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if err != nil {
		return nil, err
	}
	st, err := codec.Read(sysfile.StringOf(data), stateFields)
	st.Owner = owner
	switch {
	case st.Format != 0 && st.Format != StateFormat:
		// Then the types of the fields after the format are unknown.
		return nil, codes.With(codes.StateInvalid, fmt.Errorf("%s: format %d, this berth reads format %d", path, st.Format, StateFormat))
	case err != nil:
		return nil, fmt.Errorf("%s: %w: %w", path, ErrBroken, err)
	case st.Format == 0:
		return nil, fmt.Errorf("%s: %w: there is no format", path, ErrBroken)
	}
	return st, nil
}

// Write writes the state to dir atomically: a reader sees the old or the new state.
func (st *State) Write(dir string) error {
	return sysfile.WriteAtomically(filepath.Join(dir, StateFile), codec.Write(st, stateFields), 0o600)
}
