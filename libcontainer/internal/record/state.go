// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/berth-run/berth/libcontainer/codec"
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

// State is the content of state.json. It is a format of its own, apart from
// configs.Config: a newer berth must read what an older one wrote, so fields are
// only added, and Format changes when one changes its meaning.
type State struct {
	// Owner is the user whose file it is.
	Owner uint32 `json:"-"`

	Format      int               `json:"format"`
	ID          string            `json:"id"`
	OCIVersion  string            `json:"ociVersion"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// PID is 0 until the init process has all it needs to outlive the create:
	// before that it exits by itself when the create dies.
	PID int `json:"pid"`
	// StartTime is field 22 of /proc/PID/stat, in clock ticks since boot: with
	// PID it names one process even when the number is used again.
	StartTime uint64 `json:"startTime"`
	// SharedPID says that the container has no pid namespace of its own, so that
	// its processes outlive init.
	SharedPID bool `json:"sharedPID,omitempty"`
	// CgroupPlan are the cgroups.Manager.Paths at which there was nothing when the create
	// began; it is there until the next two are. Where there was something, it was
	// somebody else's.
	CgroupPlan map[string]string `json:"cgroupPlan,omitempty"`
	// CgroupPaths and CgroupClaims are cgroups.Manager.Paths and Claims, of cgroups that
	// have been made.
	CgroupPaths  map[string]string `json:"cgroupPaths,omitempty"`
	CgroupClaims map[string]string `json:"cgroupClaims,omitempty"`
	// CgroupRootless is configs.Cgroup.Rootless.
	CgroupRootless bool `json:"cgroupRootless,omitempty"`
	// Resources is linux.resources without devices, what later updates have changed
	// in it: the base of the next one. Nobody else has to pay for decoding it.
	Resources json.RawMessage `json:"resources,omitempty"`
	// Namespaces are the kinds of namespace that the container has apart from its
	// runtime's, as the OR of their CLONE_NEW* flags.
	Namespaces uint32 `json:"namespaces,omitempty"`
	// JoinedNamespaces are those of them that the container has joined by path.
	JoinedNamespaces uint32 `json:"joinedNamespaces,omitempty"`
	// RootfsPropagation and MountLabel are configs.Config's.
	RootfsPropagation uint64 `json:"rootfsPropagation,omitempty"`
	MountLabel        string `json:"mountLabel,omitempty"`
	// RootMount is the field of the config that another root file system than Rootfs comes
	// from (configs.Config.RootMount), "" without.
	RootMount string `json:"rootMount,omitempty"`
	// NoNewKeyring is configs.Config.NoNewKeyring.
	NoNewKeyring bool `json:"noNewKeyring,omitempty"`
	// Personality is the execution domain; nil keeps the caller's.
	Personality *uint32 `json:"personality,omitempty"`
	// MemoryPolicy is configs.Config.MemoryPolicy.
	MemoryPolicy *configs.MemoryPolicy `json:"memoryPolicy,omitempty"`
	// Filtered says that there is a FilterFile; FilterFlags are seccomp(2)'s for it.
	Filtered    bool   `json:"filtered,omitempty"`
	FilterFlags uint32 `json:"filterFlags,omitempty"`
	// ListenerPath and ListenerMetadata are those of the seccomp profile, when its
	// filter notifies.
	ListenerPath     string `json:"listenerPath,omitempty"`
	ListenerMetadata string `json:"listenerMetadata,omitempty"`
	// SystemdUnit is the name of cgroups.Manager.Unit, with a CgroupPlan only if its
	// cgroup is in there.
	SystemdUnit string `json:"systemdUnit,omitempty"`
	// SystemdUser is the user of the host whose service manager has the unit; 0 for the
	// host's.
	SystemdUser int `json:"systemdUser,omitempty"`
	// CgroupSubgroup is the path below the container's cgroup (v2) of the one that its
	// processes begin in, "" when that is itself.
	CgroupSubgroup string `json:"cgroupSubgroup,omitempty"`
	// ResctrlGroups are directories of the resctrl file system that exist for this
	// container only, in the order to remove them in.
	ResctrlGroups []string `json:"resctrlGroups,omitempty"`
	// ResctrlDir is the container's resctrl group, which may be others' as well; "" when
	// its config asks for none.
	ResctrlDir string `json:"resctrlDir,omitempty"`
	// Network are the interfaces that berth makes, written down before it does.
	Network []Interface `json:"network,omitempty"`
	// RootfsMountID is the id of the mount that Rootfs was on before the create, when
	// the container shares the host's mount namespace: what has come on top of it since
	// is the container's. 0 otherwise.
	RootfsMountID uint64 `json:"rootfsMountID,omitempty"`
	// Poststart and Poststop hooks are run by later commands.
	Poststart []specs.Hook `json:"poststart,omitempty"`
	Poststop  []specs.Hook `json:"poststop,omitempty"`
	// HookStdout and HookStderr are the files that they write to, if any.
	HookStdout string `json:"hookStdout,omitempty"`
	HookStderr string `json:"hookStderr,omitempty"`
}

// ErrBroken is of a state.json that no version of berth has written.
var ErrBroken = errors.New("not the state of a container")

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
		// Then nothing is known of the types of what comes after the format either.
		return nil, fmt.Errorf("%s: format %d, this berth reads format %d", path, st.Format, StateFormat)
	case err != nil:
		return nil, fmt.Errorf("%s: %w: %w", path, ErrBroken, err)
	case st.Format == 0:
		return nil, fmt.Errorf("%s: %w: there is no format", path, ErrBroken)
	}
	return st, nil
}

// Write puts the state into dir so that a reader sees the old or the new one whole.
func (st *State) Write(dir string) error {
	return sysfile.WriteAtomically(filepath.Join(dir, StateFile), codec.Write(st, stateFields), 0o600)
}
