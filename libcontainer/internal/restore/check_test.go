// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

func on(point, root, options string) *mountinfo.Info {
	return &mountinfo.Info{Mountpoint: point, Root: root, Options: options, Major: 8, Minor: 1, FSType: "ext4"}
}

func TestCheckExternal(t *testing.T) {
	expected := map[string]*mountinfo.Info{
		"/data": on("/run/0", "/volume", "ro,nosuid,relatime"),
		"/more": on("/run/1", "/more", "rw,relatime"),
		"/none": nil,
	}
	other := on("/more", "/more", "rw")
	other.Minor = 2
	for _, test := range []struct {
		name   string
		mounts []*mountinfo.Info
		want   string
	}{
		{"as expected", []*mountinfo.Info{on("/data", "/volume", "ro,nosuid,nodev,noatime"), on("/more", "/more", "rw")}, ""},
		{"one is not mounted", []*mountinfo.Info{on("/more", "/more", "rw")}, ""},
		{"stricter", []*mountinfo.Info{on("/more", "/more", "ro,nosuid,nodev,noexec")}, ""},
		{"two, the right one on top", []*mountinfo.Info{on("/data", "/x", "rw"), on("/data", "/volume", "ro,nosuid")}, ""},
		{"writable", []*mountinfo.Info{on("/data", "/volume", "rw,nosuid")}, "/data is not ro"},
		{"set-id", []*mountinfo.Info{on("/data", "/volume", "ro")}, "/data is not nosuid"},
		{"another directory", []*mountinfo.Info{on("/data", "/", "ro,nosuid")}, "/data is not what the config has there"},
		{"another file system", []*mountinfo.Info{other}, "/more is not what the config has there"},
		{"unknown", []*mountinfo.Info{on("/etc", "/etc", "ro")}, "on /etc, and the config has none there"},
		{"nothing was there", []*mountinfo.Info{on("/none", "/none", "ro")}, "on /none, and the config has none there"},
	} {
		err := checkExternal(test.mounts, expected)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func TestCheckOwn(t *testing.T) {
	inside := []*mountinfo.Info{on("/", "/", "rw"), on("/a]b", "/", "rw"), on("/data", "/volume", "rw")}
	names := append([]string{"pipe:[7]", "mnt[/data]"}, criu.OwnMounts(inside, []string{"/data"})...)
	if err := checkOwn(inside, names); err != nil {
		t.Error(err)
	}
	inside[1].Mountpoint = "/elsewhere"
	if err := checkOwn(inside, names); err == nil || !strings.Contains(err.Error(), "own[/a]b]ext4 of the checkpoint was restored to another place") {
		t.Errorf("%v", err)
	}
}

func TestCheckMountName(t *testing.T) {
	for path, ok := range map[string]bool{"/a": true, "/a]b": true, "/a:b": true, "/a] :": true, "/a]:": false, "/x]:/etc": false} {
		if err := criu.CheckMountName(path); (err == nil) != ok {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// TestCheckSources: an error names a mount of the checkpoint that the config does not have.
// runc's checkpoints have no list of mounts, so every mount is accepted.
func TestCheckSources(t *testing.T) {
	opts := &rpc.CriuOpts{}
	criu.AddMount(opts, "/data", "/run/0")
	for _, test := range []struct{ name, want string }{
		{criu.MountName("/data"), ""},
		{"own[/more]tmpfs", ""},
		{criu.MountName("/more]"), "the checkpoint has a mount from the host on /more], and the config has none there"},
	} {
		r := &Restoration{run: &criu.Run{Task: criu.Task{Opts: opts}}, names: []string{"pipe:[7]", test.name}}
		err := r.checkSources()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if r.mayHaveMount("/other") != !strings.HasPrefix(test.name, "mnt[") || !r.mayHaveMount("/data") && test.want == "" {
			t.Errorf("%s: may have others %v", test.name, r.mayHaveMount("/other"))
		}
	}
}

// TestOpenBeneath: no link in the path is followed, wherever it leads.
func TestOpenBeneath(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(
		os.MkdirAll(filepath.Join(dir, "vol/sub/deep"), 0o755), os.Mkdir(filepath.Join(dir, "outside"), 0o755),
		os.Symlink("sub", filepath.Join(dir, "vol/in")), os.Symlink("../outside", filepath.Join(dir, "vol/out")),
		os.Symlink(filepath.Join(dir, "vol"), filepath.Join(dir, "link")),
	); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		top, rel, want string
		err            error
	}{
		{"vol", "/sub/deep", "vol/sub/deep", nil},
		{"vol", "", "vol", nil},
		{"vol", "/", "vol", nil},
		{"link", "sub", "vol/sub", nil}, // the path in the config may be a link
		{"vol", "/in", "", unix.ELOOP},
		{"vol", "/in/deep", "", unix.ELOOP},
		{"vol", "/out", "", unix.ELOOP},
		{"vol", "/../outside", "", unix.EXDEV},
		{"vol", "/none", "", unix.ENOENT},
	} {
		fd, err := openBeneath(filepath.Join(dir, test.top), test.rel)
		if !errors.Is(err, test.err) {
			t.Errorf("%s %s: %v, want %v", test.top, test.rel, err, test.err)
		}
		if err != nil {
			continue
		}
		f := os.NewFile(uintptr(fd), "")
		got, err := f.Stat()
		want, werr := os.Stat(filepath.Join(dir, test.want))
		if err := errors.Join(err, werr, f.Close()); err != nil || !os.SameFile(got, want) {
			t.Errorf("%s %s: another file, %v", test.top, test.rel, err)
		}
	}
}
