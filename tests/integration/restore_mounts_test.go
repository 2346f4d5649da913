// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestRestoreOddDestinations: mount points with characters that have a meaning in criu's names.
// (criu itself does not support those that mountinfo escapes, except for spaces.)
func TestRestoreOddDestinations(t *testing.T) {
	k := newCounter(t)
	odd := []string{"/a]b", "/a:b", "/a b", "/a] b", "/mnt[x]", "/pipe:[1]", "/a]b/c"}
	for i, dest := range odd {
		dir := k.path(fmt.Sprint("source", i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "who"), []byte(dest), 0o644); err != nil {
			t.Fatal(err)
		}
		// Mount points are created in the order of the config.
		if err := os.MkdirAll(filepath.Join(dir, "c"), 0o755); err != nil {
			t.Fatal(err)
		}
		k.mount(dest, "bind", dir, "bind", "ro")
	}
	k.mount("/own] x", "tmpfs", "tmpfs", "size=64k")
	k.runAndCount()
	k.checkpoint()
	k.restore()
	k.ask()
	for _, dest := range odd {
		want(t, dest, k.execOut(k.id, "cat", dest+"/who"), dest)
	}
}

// TestCheckpointBadDestination: criu would split this path at "]:" into two.
func TestCheckpointBadDestination(t *testing.T) {
	onlyBerth(t)
	k := newCounter(t)
	dir := k.path("data")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	k.mount("/x]:/etc", "bind", dir, "bind")
	k.runAndCount()
	k.tryCheckpoint().fails(`"]:" in the path of a mount of the host's`, "")
	k.status(specs.StateRunning)
	k.ask()
}

// TestRestoreLinkBelowVolume: a process that can write to a volume replaces a read-only path in
// it by a symbolic link. The link is not followed, and the refused restore leaves nothing behind.
func TestRestoreLinkBelowVolume(t *testing.T) {
	onlyBerth(t)
	k := newCounter(t)
	dir := k.path("data")
	for _, d := range []string{dir, filepath.Join(dir, "sub")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	k.mount("/data", "bind", dir, "bind")
	k.spec.Linux.ReadonlyPaths = append(k.spec.Linux.ReadonlyPaths, "/data/sub")
	k.runAndCount()
	k.checkpoint()
	sub, away := filepath.Join(dir, "sub"), filepath.Join(dir, "away")
	if err := os.Rename(sub, away); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/", sub); err != nil {
		t.Fatal(err)
	}
	k.tryRestore().fails("data/sub: too many levels of symbolic links", "")
	k.command("state", k.id).fails("does not exist", "")
	k.checkNothingLeft()
	if err := os.Remove(sub); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, sub); err != nil {
		t.Fatal(err)
	}
	k.restore()
	k.ask()
}

// TestRestoreStricterMount: a mount is writable in the checkpoint, but read-only in the new
// config. The processes are killed before they run.
func TestRestoreStricterMount(t *testing.T) {
	onlyBerth(t)
	k := newCounter(t)
	dir := k.path("data")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	k.mount("/data", "bind", dir, "bind")
	k.runAndCount()
	k.checkpoint()
	m := &k.spec.Mounts[len(k.spec.Mounts)-1]
	m.Options = append(m.Options, "ro")
	text := "the restored mount on /data is not ro"
	if suite.users.name == "userns" {
		text = "criu failed" // the root of a user namespace cannot make it writable
	}
	k.tryRestore().fails(text, "")
	k.command("state", k.id).fails("does not exist", "")
	k.checkNothingLeft()
	m.Options = slices.DeleteFunc(m.Options, func(o string) bool { return o == "ro" })
	k.restore()
	k.ask()
}

// TestRestoreStateByALink: the state directory is reached by a link, as dockerd's is, which is
// below /var/run.
func TestRestoreStateByALink(t *testing.T) {
	k := newCounter(t)
	dir, link := k.path("data"), k.path("link")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Symlink(k.path(), link)); err != nil {
		t.Fatal(err)
	}
	k.global = []string{"--root", filepath.Join(link, "state")}
	k.mount("/data", "bind", dir, "bind", "ro")
	k.runAndCount()
	k.checkpoint()
	k.restore()
	k.ask()
}

// TestRestoreHostsNetworkByPath: the container joins the host's network by a path, as dockerd 20
// has it. What it mounts on /sys is then also the host's, but nothing from outside.
func TestRestoreHostsNetworkByPath(t *testing.T) {
	k := newCounter(t)
	k.namespace(specs.NetworkNamespace, fmt.Sprintf("/proc/%d/ns/net", os.Getpid()))
	k.mount("/sys", "sysfs", "sysfs", "ro", "nosuid", "noexec", "nodev")
	k.runAndCount()
	before := k.execOut(k.id, "cat", "/proc/self/mountinfo")
	k.checkpoint()
	k.restore()
	k.ask()
	want(t, "mounts", mountList(k.execOut(k.id, "cat", "/proc/self/mountinfo")), mountList(before))
	host, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	want(t, "network", k.execOut(k.id, "readlink", "/proc/self/ns/net"), host)
}
