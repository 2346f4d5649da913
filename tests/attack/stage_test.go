// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-run/berth/tests/internal/bundle"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// stage is where an attack is tried.
type stage struct {
	*testing.T
	// runtime is the binary that is attacked, and state its --root. dir is a directory on the
	// host for everything else. A container has access to it only if the attack gives it.
	runtime, state, dir string
	// weak means that the attack must succeed. It is tried on the older berth, or, with weakened,
	// it may remove a restriction from the config.json.
	weak bool
	// boxes are the containers to be removed.
	boxes []*box
}

// limit is how long something may take.
const limit = 30 * time.Second

var stages atomic.Int64

// withstands tries an attack up to tries times on the older berth, until it succeeds, and tries
// times on the runtime. The attack returns what it has gained; "" for nothing.
func withstands(t *testing.T, tries int, attack func(s *stage) string) {
	t.Helper()
	compare(t, suite.weak, tries, attack)
}

// weakened is withstands for an attack that fails on every older berth. If s.weak is set, the
// attack leaves out of the config.json the restriction that it has to overcome.
func weakened(t *testing.T, tries int, attack func(s *stage) string) {
	t.Helper()
	compare(t, suite.runtime, tries, attack)
}

func compare(t *testing.T, weak string, tries int, attack func(s *stage) string) {
	t.Helper()
	won := ""
	for n := 0; n < tries && won == ""; n++ {
		won = onStage(t, weak, true, attack)
	}
	if won == "" {
		t.Errorf("the attack does not succeed on the weak one in %d tries: it proves nothing", tries)
	} else {
		t.Logf("weak: %s", won)
	}
	for range tries {
		if won := onStage(t, suite.runtime, false, attack); won != "" {
			t.Fatalf("the attack succeeds: %s", won)
		}
	}
}

// onStage tries an attack once, and removes everything.
func onStage(t *testing.T, runtime string, weak bool, attack func(s *stage) string) string {
	t.Helper()
	s := &stage{T: t, runtime: runtime, weak: weak}
	s.dir = filepath.Join(suite.work, fmt.Sprint(stages.Add(1)))
	s.state = filepath.Join(s.dir, "state")
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer s.clear()
	return attack(s)
}

func (s *stage) clear() {
	s.Helper()
	for _, b := range s.boxes {
		b.remove()
	}
	reap()
	if err := os.RemoveAll(s.dir); err != nil {
		s.Error(err)
	}
}

// box is a container of a stage.
type box struct {
	*stage
	id, dir string
	// spec is written before each command that reads it. cgroup is its cgroupsPath.
	spec   *specs.Spec
	cgroup string
	// files are descriptors 3 and up of the runtime.
	files []*os.File
}

// box creates the bundle of a container as in bundle.Spec, which may write to its root file
// system.
func (s *stage) box(name string) *box {
	s.Helper()
	b := &box{stage: s, id: fmt.Sprintf("%s-%s-%s", suite.token, filepath.Base(s.dir), name), spec: bundle.Spec()}
	b.dir = filepath.Join(s.dir, name)
	b.cgroup = "/" + suite.token + "/" + b.id
	b.spec.Linux.CgroupsPath = b.cgroup
	for _, d := range []string{b.dir, b.path("rootfs"), b.path("upper"), b.path("work")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			s.Fatal(err)
		}
	}
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", suite.rootfs, b.path("upper"), b.path("work"))
	if err := unix.Mount("overlay", b.path("rootfs"), "overlay", 0, opts); err != nil {
		s.Fatalf("overlay: %v", err)
	}
	s.boxes = append(s.boxes, b)
	return b
}

func (b *box) remove() {
	b.Helper()
	if r := b.command("delete", "--force", b.id); r.status != 0 {
		b.Errorf("delete --force: %s", r)
	}
	if err := unix.Unmount(b.path("rootfs"), unix.MNT_DETACH); err != nil {
		b.Errorf("unmount the rootfs: %v", err)
	}
}

// path returns a path below the bundle.
func (b *box) path(elem ...string) string { return filepath.Join(append([]string{b.dir}, elem...)...) }

// sh makes the container run a shell script.
func (b *box) sh(script string) *box {
	b.spec.Process.Args = []string{"/bin/sh", "-c", script}
	return b
}

// helper makes the container run one of helpers, which is mounted on /helper.
func (b *box) helper(name string, args ...string) *box {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	b.spec.Process.Env = append(b.spec.Process.Env, helperEnv+"="+name)
	b.spec.Process.Args = append([]string{"/helper"}, args...)
	return b.mount("/helper", "bind", self, "bind", "ro")
}

func (b *box) mount(dest, typ, source string, options ...string) *box {
	b.spec.Mounts = append(b.spec.Mounts, specs.Mount{Destination: dest, Type: typ, Source: source, Options: options})
	return b
}

// capabilities adds capabilities to all sets except the inheritable and the ambient one.
func (b *box) capabilities(names ...string) *box {
	c := b.spec.Process.Capabilities
	c.Bounding = append(append([]string{}, c.Bounding...), names...)
	c.Effective = append(append([]string{}, c.Effective...), names...)
	c.Permitted = append(append([]string{}, c.Permitted...), names...)
	return b
}

// namespace adds a namespace in place of any other of its type. path may be "".
func (b *box) namespace(typ specs.LinuxNamespaceType, path string) *box {
	b.without(typ)
	b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: typ, Path: path})
	return b
}

func (b *box) without(typ specs.LinuxNamespaceType) *box {
	var keep []specs.LinuxNamespace
	for _, ns := range b.spec.Linux.Namespaces {
		if ns.Type != typ {
			keep = append(keep, ns)
		}
	}
	b.spec.Linux.Namespaces = keep
	return b
}

// mapped gives the container a user namespace with the host's ids from 100000 on, which then own
// its root file system.
func (b *box) mapped() *box {
	b.Helper()
	b.namespace(specs.UserNamespace, "")
	rows := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	b.spec.Linux.UIDMappings, b.spec.Linux.GIDMappings = rows, rows
	err := filepath.WalkDir(b.path("rootfs"), func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, 100000, 100000)
	})
	if err != nil {
		b.Fatal(err)
	}
	return b
}

// write writes config.json.
func (b *box) write() {
	b.Helper()
	if err := bundle.Write(b.dir, b.spec); err != nil {
		b.Fatal(err)
	}
}

// result is the result of a command of the runtime.
type result struct {
	what   string
	status int
	// out is the output on stdout and stderr.
	out string
	// hung means that it had to be killed.
	hung bool
}

func (r *result) String() string {
	out := r.out
	if len(out) > 600 {
		out = out[:600] + "…"
	}
	return fmt.Sprintf("%s: status %d: %q", r.what, r.status, out)
}

// command runs the runtime in the bundle. Its output is a file, so that a container that
// continues to run does not keep a pipe open.
func (b *box) command(args ...string) *result {
	b.Helper()
	wait, out := b.launch(args...)
	return wait(out)
}

// launch starts a command of the runtime. wait must be called with out, and waits for its end.
func (b *box) launch(args ...string) (wait func(out *os.File) *result, out *os.File) {
	b.Helper()
	b.write()
	out, err := os.CreateTemp(b.dir, "output.")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	cmd := exec.CommandContext(ctx, b.runtime, append([]string{"--root", b.state}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = b.dir, out, out, b.files
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return func(out *os.File) *result {
		defer cancel()
		defer out.Close()
		err := cmd.Wait()
		if err != nil && !errors.As(err, new(*exec.ExitError)) {
			b.Fatal(err)
		}
		data, err := os.ReadFile(out.Name())
		if err != nil {
			b.Fatal(err)
		}
		return &result{
			what: strings.Join(args, " "), status: cmd.ProcessState.ExitCode(), out: string(data),
			hung: ctx.Err() != nil,
		}
	}, out
}

// must is command, which must succeed.
func (b *box) must(args ...string) *result {
	b.Helper()
	r := b.command(args...)
	if r.status != 0 {
		b.Fatal(r)
	}
	return r
}

// startOutput runs run --detach with a file for the container's output, and returns the path of
// that.
func (b *box) startOutput() string {
	b.Helper()
	path := b.path("container-output")
	b.write()
	out, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.runtime, "--root", b.state, "run", "--detach", "--pid-file", b.path("pid"), b.id)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, out, out
	if err := cmd.Run(); err != nil {
		data, _ := os.ReadFile(path)
		b.Fatalf("run --detach: %v: %s", err, data)
	}
	return path
}

// read returns the content of a file; "" if it does not exist.
func read(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

// reap reaps the containers' processes that have ended, which are children of this subreaper.
func reap() {
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}

// removeParents removes the cgroups that runtimes leave above those of the containers.
func removeParents() {
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		dirs, _ := filepath.Glob(pattern + suite.token)
		for _, dir := range dirs {
			_ = unix.Rmdir(dir)
		}
	}
}

// hook gives the container a poststop hook that writes a file.
func (b *box) hook(path string) {
	b.spec.Hooks = &specs.Hooks{Poststop: []specs.Hook{{
		Path: "/bin/sh", Args: []string{"sh", "-c", "id -u >" + path},
	}}}
}
