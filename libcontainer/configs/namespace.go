// SPDX-License-Identifier: Apache-2.0

package configs

import "golang.org/x/sys/unix"

// NamespaceType is a kind of namespace, as its clone(2) flag.
type NamespaceType uint32

// The kinds of namespace of namespaces(7).
const (
	NewTime   NamespaceType = unix.CLONE_NEWTIME
	NewMount  NamespaceType = unix.CLONE_NEWNS
	NewCgroup NamespaceType = unix.CLONE_NEWCGROUP
	NewUTS    NamespaceType = unix.CLONE_NEWUTS
	NewIPC    NamespaceType = unix.CLONE_NEWIPC
	NewUser   NamespaceType = unix.CLONE_NEWUSER
	NewPID    NamespaceType = unix.CLONE_NEWPID
	NewNet    NamespaceType = unix.CLONE_NEWNET
)

// namespaceNames pairs each kind with its name in the runtime-spec and the name of its file in
// /proc/PID/ns. The order is that of joining: the user namespace first, since it grants the
// rights over the others.
var namespaceNames = [...]struct {
	Type       NamespaceType
	Spec, Proc string
}{
	{NewUser, "user", "user"},
	{NewCgroup, "cgroup", "cgroup"},
	{NewIPC, "ipc", "ipc"},
	{NewUTS, "uts", "uts"},
	{NewNet, "network", "net"},
	{NewPID, "pid", "pid"},
	{NewTime, "time", "time"},
	{NewMount, "mount", "mnt"},
}

// NamespaceTypes returns every kind that berth knows, in the order of joining.
func NamespaceTypes() []NamespaceType {
	all := make([]NamespaceType, 0, len(namespaceNames))
	for _, n := range namespaceNames {
		all = append(all, n.Type)
	}
	return all
}

// NamespaceNames returns the names that ParseNamespaceType knows.
func NamespaceNames() []string {
	names := make([]string, 0, len(namespaceNames))
	for _, n := range namespaceNames {
		names = append(names, n.Spec)
	}
	return names
}

// ParseNamespaceType returns the kind that the runtime-spec calls name.
func ParseNamespaceType(name string) (NamespaceType, bool) {
	for _, n := range namespaceNames {
		if n.Spec == name {
			return n.Type, true
		}
	}
	return 0, false
}

// String returns the runtime-spec's name of the kind.
func (t NamespaceType) String() string {
	for _, n := range namespaceNames {
		if n.Type == t {
			return n.Spec
		}
	}
	return "unknown"
}

// ProcName returns the name of the kind's file in /proc/PID/ns.
func (t NamespaceType) ProcName() string {
	for _, n := range namespaceNames {
		if n.Type == t {
			return n.Proc
		}
	}
	return ""
}

// Namespace is one entry of linux.namespaces.
type Namespace struct {
	Type NamespaceType
	// Path is the namespace file to join; "" means a new namespace.
	Path string
	// Field is the name of the path in the config, for errors: "linux.namespaces[2].path".
	Field string
}

// Namespaces is the list of a container's namespaces.
type Namespaces []Namespace

// Get returns the entry of kind t.
func (n Namespaces) Get(t NamespaceType) (Namespace, bool) {
	for _, ns := range n {
		if ns.Type == t {
			return ns, true
		}
	}
	return Namespace{}, false
}

// Contains reports whether kind t is new or joined, that is, not the runtime's own.
func (n Namespaces) Contains(t NamespaceType) bool {
	_, ok := n.Get(t)
	return ok
}

// IsNew reports whether a new namespace of kind t is created.
func (n Namespaces) IsNew(t NamespaceType) bool {
	ns, ok := n.Get(t)
	return ok && ns.Path == ""
}

// NewFlags returns the OR of the clone flags of all new namespaces.
func (n Namespaces) NewFlags() NamespaceType {
	var flags NamespaceType
	for _, ns := range n {
		if ns.Path == "" {
			flags |= ns.Type
		}
	}
	return flags
}

// Types returns the OR of the kinds of all entries, new or joined.
func (n Namespaces) Types() NamespaceType {
	var types NamespaceType
	for _, ns := range n {
		types |= ns.Type
	}
	return types
}
