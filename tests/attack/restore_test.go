// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// criu restores a container, and resolves paths as the host's root. What it finds there belongs
// to the image and the volumes, and may have changed since the checkpoint (CVE-2026-119101,
// CVE-2026-115520, CVE-2026-119614).

// quietly runs a command of the runtime with /dev/null as its streams. The container would have
// other streams open, and criu could not save them.
func (b *box) quietly(args ...string) *result {
	b.Helper()
	b.write()
	log := b.path("log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.runtime, slices.Concat([]string{"--root", b.state, "--log", log}, args)...)
	cmd.Dir = b.dir
	_ = cmd.Run() // the log and the container's status show the result
	return &result{what: strings.Join(args, " "), status: cmd.ProcessState.ExitCode(), out: read(log), hung: ctx.Err() != nil}
}

// checkpointed runs a container, lets it run prepare as its root, and checkpoints it.
func (b *box) checkpointed(prepare string) *box {
	b.Helper()
	if _, err := exec.LookPath("criu"); err != nil {
		b.Skip("no criu")
	}
	b.sh("while :; do sleep 1000; done").spec.Process.NoNewPrivileges = false
	if r := b.quietly("run", "--detach", b.id); r.status != 0 {
		b.Fatal(r)
	}
	if prepare != "" {
		b.must("exec", b.id, "/bin/sh", "-c", prepare)
	}
	if r := b.quietly("checkpoint", "--image-path", b.path("images"), "--work-path", b.path("logs"), b.id); r.status != 0 {
		// It also counts if the checkpoint is refused.
		b.Log(r)
	}
	return b
}

// restored reports whether the container was restored.
func (b *box) restored() bool {
	b.Helper()
	r := b.quietly("restore", "--detach", "--image-path", b.path("images"), "--work-path", b.path("logs"), b.id)
	b.Log(r)
	return r.status == 0
}

// dirs creates directories on the host to which everybody may write, each with a file of the same
// name.
func (s *stage) dirs(names ...string) (paths []string) {
	s.Helper()
	for _, name := range names {
		dir := filepath.Join(s.dir, name)
		if err := os.Mkdir(dir, 0o777); err != nil {
			s.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("of the host\n"), 0o644); err != nil {
			s.Fatal(err)
		}
		paths = append(paths, dir)
	}
	return paths
}

// TestRestoreExchangedLinks: two volumes are mounted over symbolic links, which the container
// exchanges. The checkpoint has the targets of the links, and the config has the links. Therefore
// the read-only volume gets the place and the options of the other one.
func TestRestoreExchangedLinks(t *testing.T) {
	withstands(t, 1, func(s *stage) string {
		d := s.dirs("readonly", "writable")
		b := s.box("a")
		for _, dir := range []string{"one", "two"} {
			if err := os.Mkdir(b.path("rootfs", dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for link, target := range map[string]string{"l": "one", "m": "two"} {
			if err := os.Symlink(target, b.path("rootfs", link)); err != nil {
				t.Fatal(err)
			}
		}
		b.mount("/l/v", "bind", d[0], "bind", "ro").mount("/m/v", "bind", d[1], "bind")
		b.checkpointed("rm /l /m; ln -s two /l; ln -s one /m")
		if !b.restored() {
			return ""
		}
		b.command("exec", b.id, "/bin/sh", "-c", "echo x >/two/v/written; echo x >/one/v/written")
		if _, err := os.Stat(d[0] + "/written"); err != nil {
			return ""
		}
		return "the read-only volume is writable"
	})
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestRestoreDiverted: another container puts a symbolic link into the path of a mask in a
// volume, and removes it when the container is restored. The mask is then at another place.
func TestRestoreDiverted(t *testing.T) {
	withstands(t, 1, func(s *stage) string {
		d := s.dirs("volume")
		must(t, os.MkdirAll(d[0]+"/d/keys", 0o755), os.WriteFile(d[0]+"/d/keys/key", []byte("secret"), 0o644),
			os.MkdirAll(d[0]+"/other/keys", 0o755))
		b := s.box("a").mount("/data", "bind", d[0], "bind")
		b.spec.Linux.MaskedPaths = append(b.spec.Linux.MaskedPaths, "/data/d/keys")
		b.checkpointed("cat /data/d/keys/key && exit 1; true")
		must(t, os.Rename(d[0]+"/d", d[0]+"/real"), os.Symlink("other", d[0]+"/d"))
		if !b.restored() {
			return ""
		}
		must(t, os.Remove(d[0]+"/d"), os.Rename(d[0]+"/real", d[0]+"/d"))
		if r := b.command("exec", b.id, "cat", "/data/d/keys/key"); r.status == 0 {
			return r.out
		}
		return ""
	})
}

// TestRestoreOtherOptions: the config is now stricter than the checkpoint.
func TestRestoreOtherOptions(t *testing.T) {
	for name, test := range map[string]struct {
		change func(b *box)
		prove  string
	}{
		"read-only mount": {func(b *box) {
			m := b.spec.Mounts
			m[len(m)-1].Options = append(m[len(m)-1].Options, "ro")
		}, "echo x >/data/x"},
		"read-only root": {func(b *box) { b.spec.Root = &specs.Root{Path: "rootfs", Readonly: true} }, "echo x >/x"},
		"read-only path": {func(b *box) {
			b.spec.Linux.ReadonlyPaths = append(b.spec.Linux.ReadonlyPaths, "/etc")
		}, "echo x >/etc/x"},
		"masked path": {func(b *box) {
			b.spec.Linux.MaskedPaths = append(b.spec.Linux.MaskedPaths, "/etc")
		}, "cat /etc/passwd"},
	} {
		t.Run(name, func(t *testing.T) {
			withstands(t, 1, func(s *stage) string {
				b := s.box("a").mount("/data", "bind", s.dirs("volume")[0], "bind")
				b.checkpointed("")
				test.change(b)
				if !b.restored() {
					return ""
				}
				if r := b.command("exec", b.id, "/bin/sh", "-c", test.prove); r.status == 0 {
					return test.prove
				}
				return ""
			})
		})
	}
}
