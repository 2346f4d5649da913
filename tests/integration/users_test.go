// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// users describes who runs the containers in this run of the suite. The tests themselves always
// run as root, and look at everything from the host.
type users struct {
	// name is the mode.
	// "root": root runs them.
	// "userns": root gives each container a new user namespace.
	// "rootless": an ordinary user with subordinate ids does so.
	// "delegated": the same with cgroups of version 1 as well.
	// "inside": an ordinary user is root in a user namespace without other ids.
	name string
	// rows map the ids of containers; nil if they are not mapped.
	rows []specs.LinuxIDMapping
	// namespace is the file of the user namespace for the mode "inside".
	namespace string
	// session is the cgroup of an ordinary user's commands. It is below one that is delegated to
	// the user. It is nil if there is none, as in the mode "rootless" on cgroup v1.
	session *os.File
	// exceptions is the content of known-modes.
	exceptions []exception
}

// exception is a line of known-modes: a test that cannot pass in some modes.
type exception struct {
	test   string
	modes  []string
	reason string
}

// setUpUsers prepares the mode, with files in dir. undo must be called at the end.
func setUpUsers(name, dir string) (u users, undo func() error, err error) {
	u.name, undo = name, func() error { return nil }
	switch name {
	case "", "root":
		u.name = "root"
		return u, undo, nil
	case "userns":
		u.rows = []specs.LinuxIDMapping{mapRow(0, firstID, idCount)}
	case "rootless", "delegated":
		u.rows = []specs.LinuxIDMapping{mapRow(0, userID, 1), mapRow(1, firstID, idCount)}
		undo, err = nameUser(dir)
		if err == nil && name == "delegated" {
			err = delegateLegacy()
		}
	case "inside":
		u.rows = []specs.LinuxIDMapping{mapRow(0, userID, 1)}
		u.namespace = filepath.Join(dir, "user")
		undo = func() error { return errors.Join(unix.Unmount(u.namespace, 0), os.Remove(u.namespace)) }
		err = ownNamespace(u.namespace)
	default:
		err = fmt.Errorf("USERS: unknown mode %q", name)
	}
	if err == nil && u.ordinary() && suite.unified {
		u.session, err = ownCgroup("/sys/fs/cgroup/" + suite.token)
	}
	if err != nil {
		return u, undo, err
	}
	u.exceptions, err = readExceptions("known-modes")
	return u, undo, err
}

// ownCgroup creates a cgroup that the ordinary user owns, with all controllers, like a service
// manager for a session (Documentation/admin-guide/cgroup-v2.rst, "Delegation"). It opens a
// cgroup below it for the session's own processes.
func ownCgroup(dir string) (session *os.File, err error) {
	controllers, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "cgroup.controllers"))
	if err != nil {
		return nil, err
	}
	for _, name := range strings.Fields(string(controllers)) {
		if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "cgroup.subtree_control"), []byte("+"+name), 0o644); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(dir+"/session", 0o755); err != nil {
		return nil, err
	}
	if err := giveCgroup(dir); err != nil {
		return nil, err
	}
	return os.Open(dir + "/session")
}

// delegateLegacy creates a cgroup that the ordinary user owns in each hierarchy of version 1. The
// cgroup of version 2 on a hybrid host belongs to root.
func delegateLegacy() error {
	if suite.unified {
		return errors.New("USERS=delegated is for cgroup v1: there is USERS=rootless for v2")
	}
	entries, err := os.ReadDir("/sys/fs/cgroup")
	if err != nil {
		return err
	}
	for _, e := range entries {
		mount := filepath.Join("/sys/fs/cgroup", e.Name())
		var st unix.Statfs_t
		if err := unix.Statfs(mount, &st); err != nil || st.Type != unix.CGROUP_SUPER_MAGIC {
			continue
		}
		if err := delegateIn(mount); err != nil {
			return err
		}
	}
	return nil
}

// delegateIn creates the cgroup in one hierarchy.
func delegateIn(mount string) error {
	dir := filepath.Join(mount, suite.token)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		content, err := os.ReadFile(filepath.Join(mount, file))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), content, 0o644)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, file := range []string{"", "cgroup.procs", "tasks"} {
		if err := os.Chown(filepath.Join(dir, file), userID, userID); err != nil {
			return err
		}
	}
	return nil
}

// giveLegacyCgroup changes owners as if the user had created the cgroup, of version 1.
func giveLegacyCgroup(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.Chown(filepath.Join(dir, e.Name()), userID, userID))
	}
	return errors.Join(err, os.Chown(dir, userID, userID))
}

func giveCgroup(dir string) error {
	for _, file := range []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
		if err := os.Chown(filepath.Join(dir, file), userID, userID); err != nil {
			return err
		}
	}
	return nil
}

// nameUser gives the ordinary user a name, and subordinate ids from firstID on, in this mount
// namespace. newuidmap and newgidmap read these files.
func nameUser(dir string) (undo func() error, err error) {
	ranges := fmt.Sprintf("berthtest:%d:%d\n", firstID, idCount)
	var undone []func() error
	undo = func() (err error) {
		for _, f := range slices.Backward(undone) {
			err = errors.Join(err, f())
		}
		return err
	}
	for file, line := range map[string]string{
		"passwd": fmt.Sprintf("berthtest:x:%d:%d::/:/bin/sh\n", userID, userID), "subuid": ranges, "subgid": ranges,
	} {
		path := filepath.Join(dir, file)
		before, err := os.ReadFile("/etc/" + file)
		if err != nil {
			return undo, err
		}
		if err := os.WriteFile(path, append(before, line...), 0o644); err != nil {
			return undo, err
		}
		undone = append(undone, func() error { return os.Remove(path) })
		if err := unix.Mount(path, "/etc/"+file, "", unix.MS_BIND, ""); err != nil {
			return undo, fmt.Errorf("mount on /etc/%s: %w", file, err)
		}
		undone = append(undone, func() error { return unix.Unmount("/etc/"+file, 0) })
	}
	return undo, nil
}

// ownNamespace mounts a user namespace on file whose root is an ordinary user.
func ownNamespace(file string) error {
	cmd := exec.Command("unshare", "--user", "--map-root-user", "/bin/sh", "-c", "echo; exec sleep 1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: userID, Gid: userID}}
	up, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if _, err := up.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("unshare --user: %w", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	return unix.Mount(fmt.Sprintf("/proc/%d/ns/user", cmd.Process.Pid), file, "", unix.MS_BIND, "")
}

// readExceptions reads the table of three columns separated by "|".
func readExceptions(path string) ([]exception, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	known := []string{"userns", "rootless", "delegated", "inside"}
	var all []exception
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		cols := strings.SplitN(line, "|", 3)
		if len(cols) != 3 || strings.TrimSpace(cols[2]) == "" {
			return nil, fmt.Errorf("%s:%d: want a test, modes, and a reason", path, n)
		}
		e := exception{strings.TrimSpace(cols[0]), strings.Split(strings.TrimSpace(cols[1]), ","), strings.TrimSpace(cols[2])}
		for _, m := range e.modes {
			users, cgroup, limited := strings.Cut(m, "/")
			if !slices.Contains(known, users) || limited && cgroup != "v1" && cgroup != "v2" {
				return nil, fmt.Errorf("%s:%d: unknown mode %q", path, n, m)
			}
		}
		all = append(all, e)
	}
	return all, sc.Err()
}

// exceptionFor returns why a test cannot pass in this mode; "" if it can.
func (u *users) exceptionFor(test string) string {
	mode := u.name + map[bool]string{true: "/v2", false: "/v1"}[suite.unified]
	for _, e := range u.exceptions {
		if suite.checkGaps && strings.HasPrefix(e.reason, "racy: ") {
			continue
		}
		// The exceptions of rootless also apply to delegated, which has the same user.
		asRootless := u.name == "delegated" && slices.Contains(e.modes, "rootless")
		if covers(e.test, test) && (asRootless || slices.Contains(e.modes, u.name) || slices.Contains(e.modes, mode)) {
			return e.reason
		}
	}
	return ""
}

// covers reports whether a line of a table applies to a test. A name that ends with "/*" applies
// to all subtests.
func covers(line, test string) bool {
	if above, all := strings.CutSuffix(line, "*"); all {
		return strings.HasPrefix(test, above)
	}
	return test == line
}

// ordinary reports whether the caller of the runtime is not the host's root.
func (u *users) ordinary() bool { return u.rootless() || u.name == "inside" }

// rootless reports whether each container has a user namespace that an ordinary user creates.
func (u *users) rootless() bool { return u.name == "rootless" || u.name == "delegated" }

// mkdirCgroup creates a cgroup as the caller of the runtime would.
func (u *users) mkdirCgroup(t *testing.T, dir string) {
	t.Helper()
	err := os.Mkdir(dir, 0o755)
	switch {
	case err == nil && u.session != nil:
		err = giveCgroup(dir)
	case err == nil && u.name == "delegated":
		err = giveLegacyCgroup(dir)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
}

// haveCgroups reports whether the containers get the cgroups that they ask for.
func (u *users) haveCgroups() bool {
	return !u.ordinary() || u.session != nil || u.name == "delegated"
}

// isSession reports whether a cgroup is that of the ordinary user's commands.
func (u *users) isSession(dir string) bool { return u.session != nil && dir == u.session.Name() }

// hostID returns the host's id for an id in a container.
func (u *users) hostID(id int) int {
	for _, row := range u.rows {
		if first := int(row.ContainerID); id >= first && id < first+int(row.Size) {
			return int(row.HostID) + id - first
		}
	}
	if len(u.rows) > 0 {
		return int(u.rows[0].HostID)
	}
	return id
}

// command makes a command run as the mode's caller of the runtime.
func (u *users) command(cmd *exec.Cmd) {
	if !u.ordinary() {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: userID, Gid: userID}
	if u.session != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(u.session.Fd())
	}
	if cmd.Env == nil {
		cmd.Env = append(os.Environ(), "USER=berthtest", "HOME=/")
	}
	if u.namespace == "" {
		return
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		cmd.Err = err
		return
	}
	cmd.Args = append([]string{nsenter, "--user=" + u.namespace, "--preserve-credentials", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = nsenter
}

// spec returns a container's config for this mode. One that already has a user namespace keeps
// it.
func (u *users) spec(c *container) *specs.Spec {
	if u.name == "root" || c.spec.Linux == nil {
		return c.spec
	}
	spec, linux := *c.spec, *c.spec.Linux
	spec.Linux, spec.Mounts = &linux, slices.Clone(spec.Mounts)
	if !u.haveCgroups() && linux.CgroupsPath == c.cgroup {
		linux.CgroupsPath = ""
	}
	for i, m := range spec.Mounts {
		if u.name == "inside" && m.Type == "devpts" {
			spec.Mounts[i].Options = slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return o == "gid=5" })
		}
	}
	// A user namespace can only mount a file system that shows a namespace if it owns that
	// namespace. Otherwise engines use the host's file system, or none.
	for i, m := range spec.Mounts {
		if m.Type == "proc" && m.Destination == "/proc" && !ownsNew(&linux, specs.PIDNamespace) {
			spec.Mounts[i] = specs.Mount{Destination: "/proc", Type: "bind", Source: "/proc", Options: append([]string{"rbind"}, m.Options...)}
		}
	}
	spec.Mounts = slices.DeleteFunc(spec.Mounts, func(m specs.Mount) bool {
		return m.Type == "mqueue" && !ownsNew(&linux, specs.IPCNamespace)
	})
	has := func(ns specs.LinuxNamespace) bool { return ns.Type == specs.UserNamespace }
	if u.name != "inside" && !slices.ContainsFunc(linux.Namespaces, has) {
		ns := specs.LinuxNamespace{Type: specs.UserNamespace, Path: podsNamespace(c.t, linux.Namespaces)}
		linux.Namespaces = append(slices.Clone(linux.Namespaces), ns)
		linux.UIDMappings, linux.GIDMappings = u.rows, u.rows
	}
	return &spec
}

// ownsNew reports whether a new namespace of the kind is created for the container.
func ownsNew(linux *specs.Linux, typ specs.LinuxNamespaceType) bool {
	return slices.ContainsFunc(linux.Namespaces, func(ns specs.LinuxNamespace) bool {
		return ns.Type == typ && ns.Path == ""
	})
}

// podsNamespace returns the user namespace of the container whose namespaces are joined, since
// engines make all containers of a pod join it; "" if that is the tests' own.
func podsNamespace(t *testing.T, namespaces []specs.LinuxNamespace) string {
	t.Helper()
	for _, ns := range namespaces {
		process, isProc := strings.CutSuffix(filepath.Dir(ns.Path), "/ns")
		if !isProc || !strings.HasPrefix(process, "/proc/") {
			continue
		}
		path := process + "/ns/user"
		if _, err := os.Stat(path); err == nil && inode(t, path) != inode(t, "/proc/self/ns/user") {
			return path
		}
	}
	return ""
}

// chownBundle makes the caller of the runtime the owner of a new bundle, and the container's root
// that of the root file system.
func (u *users) chownBundle(c *container) {
	c.t.Helper()
	if u.name == "root" {
		return
	}
	root := u.hostID(0)
	err := os.Chown(c.rootfs(), root, root)
	if u.ordinary() {
		err = errors.Join(err, os.Chown(c.dir, userID, userID))
	} else {
		// createContainer hooks run as the container's root.
		err = errors.Join(err, os.Chmod(c.dir, 0o777))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// chownToCaller makes the caller of the runtime the owner of a file.
func (u *users) chownToCaller(t *testing.T, path string) {
	t.Helper()
	if !u.ordinary() {
		return
	}
	if err := os.Chown(path, userID, userID); err != nil {
		t.Fatal(err)
	}
}

// mapOwners maps the owners of the files that the test has created in the bundle and in the root
// file system to the container's ids on the host.
func (u *users) mapOwners(c *container) {
	c.t.Helper()
	if u.name == "root" {
		return
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range entries {
		switch e.Name() {
		case "rootfs", "work", "state":
		case "upper":
			// Changes must be made through the overlay mount, which also shows what is below it.
			u.mapOwnersBelow(c.t, c.path("upper"), c.rootfs())
		default:
			u.mapOwnersBelow(c.t, c.path(e.Name()), c.path(e.Name()))
		}
	}
}

// mapOwnersBelow maps the owners of all files in the directory listed. It changes them by their
// paths in changed.
func (u *users) mapOwnersBelow(t *testing.T, listed, changed string) {
	t.Helper()
	err := filepath.WalkDir(listed, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		path = changed + strings.TrimPrefix(path, listed)
		if err := unix.Lstat(path, &st); err != nil {
			// The file is a whiteout, or hidden by a mount.
			return nil
		}
		uid, gid := int(st.Uid), int(st.Gid)
		if uid >= userID || gid >= userID {
			return nil
		}
		if err := os.Lchown(path, u.hostID(uid), u.hostID(gid)); err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		if st.Mode&0o6000 != 0 {
			return unix.Chmod(path, st.Mode&0o7777)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
