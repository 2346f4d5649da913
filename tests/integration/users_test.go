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

// users says who runs the containers of this run of the suite, and as whom. The tests
// themselves are root's always, and look at everything from the host.
type users struct {
	// name is "root", "userns": root gives each container a new user namespace,
	// "rootless": so does an ordinary user, who has subordinate ids, "delegated": who has
	// cgroups of version 1 as well, or "inside": an ordinary user is root in a user
	// namespace without other ids.
	name string
	// rows map the ids of containers, if not to themselves.
	rows []specs.LinuxIDMapping
	// namespace is the file of the user namespace to be inside of.
	namespace string
	// session is the cgroup that an ordinary user's commands run in, below one that is
	// delegated to it; nil where it has none: cgroup v1 is delegated to nobody.
	session *os.File
	// exceptions are known-modes.
	exceptions []exception
}

// exception is one line of known-modes: a test that cannot hold in some modes.
type exception struct {
	test   string
	modes  []string
	reason string
}

// setUpUsers makes what the mode needs, in dir; undo is to be called in the end.
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

// ownCgroup makes a cgroup that is the ordinary user's, as a service manager does for a
// session (Documentation/admin-guide/cgroup-v2.rst, "Delegation"), with all controllers, and
// opens one below it for the session's own processes.
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

// delegateLegacy makes a cgroup that is the ordinary user's in each hierarchy of version 1.
// That of version 2, which a hybrid host has besides, stays root's.
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

// delegateIn makes the cgroup in one hierarchy.
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

// giveLegacyCgroup is what happens to a cgroup of version 1 that the user makes.
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

// nameUser gives the ordinary user a name, and the ids from firstID on, as far as this
// mount namespace sees: that is what newuidmap and newgidmap read.
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

// ownNamespace makes file the user namespace of an ordinary user, who is its root.
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

// readExceptions reads the table: three columns divided by "|".
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

// exceptionFor says why a test cannot hold in this mode, "" when it can.
func (u *users) exceptionFor(test string) string {
	mode := u.name + map[bool]string{true: "/v2", false: "/v1"}[suite.unified]
	for _, e := range u.exceptions {
		if suite.checkGaps && strings.HasPrefix(e.reason, "racy: ") {
			continue
		}
		// With cgroups one can do what one can without.
		asRootless := u.name == "delegated" && slices.Contains(e.modes, "rootless")
		if covers(e.test, test) && (asRootless || slices.Contains(e.modes, u.name) || slices.Contains(e.modes, mode)) {
			return e.reason
		}
	}
	return ""
}

// covers says whether a line of a table is about a test: a name that ends with "/*" is
// about all that is below.
func covers(line, test string) bool {
	if above, all := strings.CutSuffix(line, "*"); all {
		return strings.HasPrefix(test, above)
	}
	return test == line
}

// ordinary says that the runtime is not called by the host's root.
func (u *users) ordinary() bool { return u.rootless() || u.name == "inside" }

// rootless says that each container has a user namespace of an ordinary user's.
func (u *users) rootless() bool { return u.name == "rootless" || u.name == "delegated" }

// mkdirCgroup makes a cgroup as who calls the runtime does it.
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

// haveCgroups says that the containers get the cgroups they ask for.
func (u *users) haveCgroups() bool {
	return !u.ordinary() || u.session != nil || u.name == "delegated"
}

// isSession says that a cgroup is that of the ordinary user's commands.
func (u *users) isSession(dir string) bool { return u.session != nil && dir == u.session.Name() }

// hostID is the host's id of a container's id.
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

// command makes a command one of the mode's: who calls it, and from where.
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

// spec is what a container's config is in this mode. One that has a user namespace is
// left as it is.
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
	// A user namespace may mount what shows a namespace only if it owns that. Engines have
	// the container see the host's then, or go without.
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

// ownsNew says that a namespace of the kind is made for the container.
func ownsNew(linux *specs.Linux, typ specs.LinuxNamespaceType) bool {
	return slices.ContainsFunc(linux.Namespaces, func(ns specs.LinuxNamespace) bool {
		return ns.Type == typ && ns.Path == ""
	})
}

// podsNamespace is the user namespace of the container whose namespaces are joined, which
// engines have all containers of a pod join; "" when there is none but the tests' own.
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

// bundle gives a new bundle to who runs it, and the root file system to its root.
func (u *users) bundle(c *container) {
	c.t.Helper()
	if u.name == "root" {
		return
	}
	root := u.hostID(0)
	err := os.Chown(c.rootfs(), root, root)
	if u.ordinary() {
		err = errors.Join(err, os.Chown(c.dir, userID, userID))
	} else {
		// createContainer hooks are the container's root.
		err = errors.Join(err, os.Chmod(c.dir, 0o777))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// give gives a file to who calls the runtime.
func (u *users) give(t *testing.T, path string) {
	t.Helper()
	if !u.ordinary() {
		return
	}
	if err := os.Chown(path, userID, userID); err != nil {
		t.Fatal(err)
	}
}

// own gives what the test has put into the bundle, and into the root file system, to the
// ids that its owners are in the container.
func (u *users) own(c *container) {
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
			// Changes have to be made through the mount, which is at hand only with
			// all that is below.
			u.shift(c.t, c.path("upper"), c.rootfs())
		default:
			u.shift(c.t, c.path(e.Name()), c.path(e.Name()))
		}
	}
}

// shift maps the owners of all in a directory, which is also at another path.
func (u *users) shift(t *testing.T, listed, changed string) {
	t.Helper()
	err := filepath.WalkDir(listed, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		path = changed + strings.TrimPrefix(path, listed)
		if err := unix.Lstat(path, &st); err != nil {
			// A whiteout, or a mount that hides it.
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
