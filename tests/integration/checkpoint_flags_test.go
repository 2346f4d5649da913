// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestCheckpointNeedsFlag: what criu only saves with an option, and otherwise refuses.
func TestCheckpointNeedsFlag(t *testing.T) {
	tests := map[string]struct {
		kind, argument string
		flags          []string
	}{
		"file-locks":      {"lock", "/lock", []string{"--file-locks"}},
		"tcp-established": {"tcp", "7777", []string{"--tcp-established"}},
		"link-remap":      {"unlinked", "/tmp/file", []string{"--link-remap"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k := newCounter(t).holding(test.kind, test.argument).runAndCount()
			k.tryCheckpoint().fails("criu failed", "")
			k.ask()
			k.checkpoint(test.flags...)
			k.restore(test.flags...)
			k.ask()
		})
	}
}

func TestCheckpointTCPSkipInFlight(t *testing.T) {
	k := newCounter(t).holding("pending", "7777").runAndCount()
	k.tryCheckpoint("--tcp-established").fails("criu failed", "")
	k.ask()
	k.checkpoint("--tcp-established", "--tcp-skip-in-flight")
	k.restore("--tcp-established")
	k.ask()
}

// TestRestoreTCPClose: the restored connection exists and is closed.
func TestRestoreTCPClose(t *testing.T) {
	k := newCounter(t).holding("tcp", "7777").runAndCount()
	k.checkpoint("--tcp-established")
	k.restore("--tcp-close")
	k.in.send("x")
	want(t, "the answer", k.out.line(), "3 is disconnected")
}

// TestCheckpointExtUnixSk: a socket whose peer belongs to the test.
func TestCheckpointExtUnixSk(t *testing.T) {
	k := newCounter(t)
	k.without(specs.NetworkNamespace) // criu only sees the sockets of the container's network namespace
	hostSafe(k.container, specs.NetworkNamespace)
	dir := k.volume("sockets")
	other, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := os.Chmod(filepath.Join(dir, "s"), 0o777); err != nil {
		t.Fatal(err)
	}
	k.mount(dir, "bind", dir, "bind") // at the path to which the peer is bound
	k.holding("unix", filepath.Join(dir, "s")).runAndCount()
	k.tryCheckpoint().fails("criu failed", "")
	k.ask()
	k.checkpoint("--ext-unix-sk")
	k.restore("--ext-unix-sk")
	k.ask()
	if err := other.SetReadDeadline(time.Now().Add(suite.limit)); err != nil {
		t.Fatal(err)
	}
	for range k.n {
		if _, err := other.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCheckpointManageCgroups: a limit that was changed after create is restored from the config,
// or, if criu manages the cgroups, from the images.
func TestCheckpointManageCgroups(t *testing.T) {
	for mode, limit := range map[string]string{"": "99", "soft": "99", "full": "55", "strict": "55", "ignore": "99"} {
		t.Run("mode "+mode, func(t *testing.T) {
			k := newCounter(t)
			if !suite.unified {
				k.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(99))}}
			}
			k.runAndCount()
			if !suite.unified {
				k.command("update", "--pids-limit", "55", k.id).must()
			}
			var flags []string
			if mode != "" {
				flags = []string{"--manage-cgroups-mode", mode}
			}
			k.checkpoint(flags...)
			k.restore(flags...)
			k.ask()
			if got := k.cgroupFile("pids", "cgroup.procs"); !strings.Contains(got+"\n", fmt.Sprintf("%d\n", k.pid)) {
				t.Errorf("the cgroup has %q, want %d", got, k.pid)
			}
			if !suite.unified {
				want(t, "pids.max", k.cgroupFile("pids", "pids.max"), limit)
			}
			k.command("delete", "--force", k.id).must()
			k.checkNothingLeft()
		})
	}
	t.Run("strict, exists", func(t *testing.T) {
		k := newCounter(t).runAndCount()
		k.checkpoint("--manage-cgroups-mode", "strict")
		other := anotherContainer(t, k.container)
		other.spec.Linux.CgroupsPath, other.cgroup = k.cgroup, k.cgroup
		other.running()
		k.tryRestore("--manage-cgroups-mode", "strict").fails("", "")
		k.command("state", k.id).fails("does not exist", "")
		other.status(specs.StateRunning)
	})
}

// TestCheckpointEmptyNS: the restored network namespace is empty.
func TestCheckpointEmptyNS(t *testing.T) {
	k := newCounter(t).runAndCount()
	k.checkpoint("--empty-ns", "network")
	k.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{
		Path: "/bin/sh", Args: []string{"sh", "-c", `pid=$(sed 's/.*"pid":\([0-9]*\).*/\1/'); nsenter --net=/proc/$pid/ns/net ip link add made type veth peer name other`},
		Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
	}}}
	k.restore("--empty-ns", "network")
	k.ask()
	links := k.execOut(k.id, "cat", "/proc/net/dev")
	if !strings.Contains(links, "made:") {
		t.Errorf("the hook's device is missing: %q", links)
	}
}

// TestCheckpointHookNetwork: an interface that a hook has connected, like Docker's, is not in the
// images. The hook connects it again, without a warning.
func TestCheckpointHookNetwork(t *testing.T) {
	k := newCounter(t)
	ownHost(t)
	k.spec.Hooks = &specs.Hooks{Prestart: []specs.Hook{{
		Path: "/bin/sh", Args: []string{"sh", "-c", `pid=$(sed 's/.*"pid":\([0-9]*\).*/\1/')
			ip link add outside type veth peer name eth7 netns $pid && nsenter --net=/proc/$pid/ns/net ip addr add 192.0.2.7/24 dev eth7`},
		Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
	}}}
	k.runAndCount()
	k.checkpoint()
	awaitInterfaces(t, "")
	k.restore()
	k.ask()
	if addresses := ip(t, k.pid, "-o addr show"); !strings.Contains(addresses, "192.0.2.7/24") {
		t.Errorf("the hook's address is missing: %q", addresses)
	}
	ping(t, k.pid, "127.0.0.1")
}

// TestCheckpointPreDump saves memory twice, and then only what has changed.
func TestCheckpointPreDump(t *testing.T) {
	k := newCounter(t)
	out, err := exec.Command("criu", "check", "--feature", "mem_dirty_track").CombinedOutput()
	if err != nil && !strings.Contains(string(out), "Dirty tracking is OFF") {
		t.Fatalf("criu check: %v: %s", err, out)
	}
	if err != nil {
		t.Skip("the kernel does not track dirty memory")
	}
	k.holding("memory", "16").runAndCount()
	base := k.images()
	dump := func(name string, options ...string) {
		t.Helper()
		args := append([]string{"checkpoint", "--image-path", filepath.Join(base, name), "--work-path", k.logs()}, options...)
		k.command(append(args, k.id)...).must().silent()
	}
	dump("1", "--pre-dump")
	k.ask()
	dump("2", "--pre-dump", "--parent-path", "../1")
	k.ask()
	dump("3", "--parent-path", "../2")
	k.command("state", k.id).fails("does not exist", "")
	if full, rest := pagesIn(t, filepath.Join(base, "1")), pagesIn(t, filepath.Join(base, "3")); rest > full/4 {
		t.Errorf("the first dump has %d bytes of memory, the last %d", full, rest)
	}
	r := k.detached("restore", "--detach", "--pid-file", k.path("pid"), "--image-path", filepath.Join(base, "3"), k.id)
	r.must()
	k.pid = k.readPID()
	k.ask()
}

// pagesIn returns the size of the memory in the images.
func pagesIn(t *testing.T, dir string) (size int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "pages-*.img"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no pages: %v", dir, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

// freePort returns an unused TCP port of the host's loopback.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("address %v", l.Addr())
	}
	return addr.Port
}

// TestCheckpointPageServer sends memory to a page server.
func TestCheckpointPageServer(t *testing.T) {
	k := newCounter(t).holding("memory", "4").runAndCount()
	if err := os.Mkdir(k.images(), 0o700); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	ready, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	server := exec.Command("criu", "page-server", "--images-dir", k.images(), "--address", "127.0.0.1", "--port", fmt.Sprint(port), "--status-fd", "3")
	server.ExtraFiles = []*os.File{w}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	awaitByte(t, ready)
	k.checkpoint("--page-server", fmt.Sprintf("127.0.0.1:%d", port))
	if err := server.Wait(); err != nil {
		t.Errorf("page server: %v", err)
	}
	if size := pagesIn(t, k.images()); size < 4<<20 {
		t.Errorf("the server has got %d bytes", size)
	}
	k.restore()
	k.ask()
}

// awaitByte waits for the zero byte of a --status-fd.
func awaitByte(t *testing.T, f *os.File) {
	t.Helper()
	if err := pollIn(int(f.Fd())); err != nil {
		t.Fatalf("status fd: %v", err)
	}
	if n, err := unix.Read(int(f.Fd()), make([]byte, 8)); err != nil || n != 1 {
		t.Fatalf("status fd: %d bytes, %v", n, err)
	}
}

// TestCheckpointLazyPages migrates a container: the checkpoint serves its memory, criu's
// lazy-pages daemon fetches it, and the restored processes fault it in.
func TestCheckpointLazyPages(t *testing.T) {
	k := newCounter(t)
	require(t, exec.Command("criu", "check", "--feature", "uffd-noncoop").Run() == nil, "userfaultfd")
	k.holding("memory", "4").runAndCount()
	port := fmt.Sprint(freePort(t))
	status, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer status.Close()
	k.files = []*os.File{w}
	checkpoint := k.launch(nil, "checkpoint", "--lazy-pages", "--page-server", "127.0.0.1:"+port, "--status-fd", "3",
		"--image-path", k.images(), "--work-path", k.logs(), k.id)
	k.files = nil
	w.Close()
	awaitByte(t, status)
	daemon := exec.Command("criu", "lazy-pages", "--page-server", "--address", "127.0.0.1", "--port", port,
		"--images-dir", k.images(), "--work-dir", k.logs(), "--status-fd", "3")
	status2, w2, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer status2.Close()
	daemon.ExtraFiles = []*os.File{w2}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	w2.Close()
	awaitByte(t, status2)
	// The first container exists until its memory has been fetched.
	again := anotherContainer(t, k.container)
	again.spec.Process, again.spec.Mounts, again.spec.Root = k.spec.Process, k.spec.Mounts, &specs.Root{Path: k.rootfs()}
	moved := &counter{container: again, in: k.in, out: k.out, n: k.n}
	restored := moved.detached("restore", "--lazy-pages", "--detach", "--pid-file", again.path("pid"), "--image-path", k.images(),
		"--work-path", k.logs(), again.id)
	if restored.status != 0 {
		_ = daemon.Process.Kill()
	}
	// The daemon ends when all memory has been fetched, which it does in the background.
	res, err := k.finish(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	served := daemon.Wait()
	if log, _ := os.ReadFile(filepath.Join(k.logs(), "dump.log")); strings.Contains(string(log), "Error (criu/page-pipe.c") {
		// Plain criu 4.1 and 4.2 fail in this way on Linux 6.18. The container continues to run.
		moved.command("delete", "--force", moved.id).must()
		res.fails("criu failed", "")
		k.status(specs.StateRunning)
		k.ask()
		t.Skip("criu cannot serve pages on this kernel")
	}
	restored.must()
	res.must()
	if served != nil {
		t.Errorf("criu lazy-pages: %v", served)
	}
	moved.pid = moved.readPID()
	moved.ask()
	moved.command("delete", "--force", moved.id).must()
}

// interrupted sends a signal to a checkpoint that waits for its memory to be fetched.
func (k *counter) interrupted(sig unix.Signal) *result {
	k.t.Helper()
	status, w, err := os.Pipe()
	if err != nil {
		k.t.Fatal(err)
	}
	defer status.Close()
	k.files = []*os.File{w}
	checkpoint := k.launch(nil, "checkpoint", "--lazy-pages", "--page-server", fmt.Sprintf("127.0.0.1:%d", freePort(k.t)),
		"--status-fd", "3", "--image-path", k.images(), "--work-path", k.logs(), k.id)
	k.files = nil
	w.Close()
	awaitByte(k.t, status)
	if err := checkpoint.cmd.Process.Signal(sig); err != nil {
		k.t.Fatal(err)
	}
	res, err := k.finish(checkpoint)
	if err != nil {
		k.t.Fatal(err)
	}
	return res
}

// TestCheckpointInterrupted: the container continues to run if a waiting checkpoint is
// interrupted.
func TestCheckpointInterrupted(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			k := newCounter(t).runAndCount()
			res := k.interrupted(sig)
			if sig == unix.SIGTERM {
				res.code(1).fails("criu has died", "")
				k.status(specs.StateRunning)
				ping(t, k.pid, "127.0.0.1") // criu had locked it
			}
			if k.isFrozen() {
				k.command("resume", k.id).must()
			}
			k.ask()
		})
	}
}

func TestCheckpointAutoDedup(t *testing.T) {
	k := newCounter(t).runAndCount()
	k.checkpoint("--auto-dedup")
	k.restore("--auto-dedup")
	k.ask()
}

func TestCheckpointNetworkLock(t *testing.T) {
	k := newCounter(t).holding("tcp", "7777").runAndCount()
	if criuVersion(t) < "3.19" {
		k.tryCheckpoint("--tcp-established", "--network-lock", "skip").fails("needs criu 3.19", "")
		return
	}
	k.checkpoint("--tcp-established", "--network-lock", "skip")
	k.restore("--tcp-established", "--network-lock", "skip")
	k.ask()
}

// TestCheckpointImagePath: the default is a directory below the caller's current directory.
func TestCheckpointImagePath(t *testing.T) {
	k := newCounter(t).runAndCount()
	k.command("checkpoint", k.id).must().silent()
	for _, file := range []string{"inventory.img", "dump.log", "descriptors.json"} {
		if _, err := os.Stat(k.path("checkpoint", file)); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(k.path("checkpoint")); err == nil && info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the images have mode %v", info.Mode())
	}
	k.detached("restore", "--detach", "--pid-file", k.path("pid"), k.id).must()
	k.pid = k.readPID()
	k.ask()
}

// TestCheckpointBadFlags: the container continues to run, and no directory is created.
func TestCheckpointBadFlags(t *testing.T) {
	c := newContainer(t).running()
	needCriu(t)
	for name, test := range map[string]struct {
		options []string
		text    string
	}{
		"parent absolute":  {[]string{"--parent-path", "/tmp"}, "--parent-path must be relative"},
		"parent missing":   {[]string{"--parent-path", "nowhere"}, "invalid --parent-path"},
		"cgroups mode":     {[]string{"--manage-cgroups-mode", "wrong"}, "manage"},
		"namespace":        {[]string{"--empty-ns", "pid"}, "is not supported"},
		"page server":      {[]string{"--page-server", "nonsense"}, "--page-server ADDRESS:PORT"},
		"page server port": {[]string{"--page-server", "127.0.0.1:x"}, "nvalid port number"},
		"lazy, no server":  {[]string{"--lazy-pages"}, "page-server"},
		"status fd":        {[]string{"--status-fd", "77"}, "77"},
		"network lock":     {[]string{"--network-lock", "wrong"}, "network-lock"},
		"work path":        {[]string{"--image-path", "/proc", "--work-path", "/proc/nowhere"}, "/proc/nowhere"},
		"image path":       {[]string{"--image-path", "/proc/nowhere"}, "/proc/nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			findAndSkip(t)
			c.t = t
			args := append([]string{"checkpoint"}, test.options...)
			c.command(append(args, c.id)...).fails(test.text, "")
			c.status(specs.StateRunning)
			if err := os.Remove(c.path("checkpoint")); !os.IsNotExist(err) {
				t.Errorf("the directory of images is left (removing it: %v)", err)
			}
		})
	}
	c.t = t
}

// findAndSkip skips a subtest that is a known gap. The subtests share one container, so they do
// not call begin.
func findAndSkip(t *testing.T) {
	t.Helper()
	if reason := findGap(t.Name()); reason != "" && !suite.checkGaps {
		t.Skip(reason)
	}
}

// TestCheckpointConfigFile: criu reads further options from a file.
func TestCheckpointConfigFile(t *testing.T) {
	k := newCounter(t).holding("lock", "/lock")
	config := k.path("criu.conf")
	if err := os.WriteFile(config, []byte("file-locks\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	k.annotate("org.criu.config", config)
	k.runAndCount()
	k.checkpoint()
	k.restore()
	k.ask()
}

func TestCheckpointConfigFileMissing(t *testing.T) {
	k := newCounter(t)
	k.annotate("org.criu.config", k.path("nowhere"))
	k.runAndCount()
	k.tryCheckpoint().fails("nowhere", "")
	k.ask()
}

// TestCheckpointProbes: Podman uses these command lines to find out whether the runtime supports
// checkpoints, and restores into a pod.
func TestCheckpointProbes(t *testing.T) {
	c := newContainer(t)
	c.command("checkpoint", "--help").must()
	r := c.command("restore", "--lsm-mount-context")
	if r.status == 0 || !strings.Contains(r.stderr, "flag needs an argument") {
		t.Errorf("status %d, stderr %q", r.status, r.stderr)
	}
}

func TestRestoreLSM(t *testing.T) {
	k := newCounter(t).runAndCount()
	k.checkpoint()
	for _, bad := range []string{"nonsense", "apparmor:", "smack:x"} {
		k.tryRestore("--lsm-profile", bad).fails("lsm-profile", "")
	}
	// This test does not depend on a security module: without one, criu ignores the label of the
	// mounts.
	k.restore("--lsm-mount-context", "system_u:object_r:container_file_t:s0:c1,c2")
	k.ask()
}
