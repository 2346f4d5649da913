// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDefaultRoot(t *testing.T) {
	tests := []struct {
		name   string
		euid   int
		env    map[string]string
		userNS bool
		want   string
	}{
		{"root", 0, nil, false, defaultRoot},
		{"root with a session", 0, map[string]string{"XDG_RUNTIME_DIR": "/run/user/0"}, false, defaultRoot},
		{"user", 1000, map[string]string{"XDG_RUNTIME_DIR": "/run/user/1000"}, false, "/run/user/1000/berth"},
		{"user without a session", 1000, nil, false, defaultRoot},
		{"user with a relative path", 1000, map[string]string{"XDG_RUNTIME_DIR": "run/user"}, false, defaultRoot},
		{"user whose session has no variable", 1001, nil, false, "/run/user/1001/berth"},
		{"user whose session has a relative path", 1001, map[string]string{"XDG_RUNTIME_DIR": "x"}, false, "/run/user/1001/berth"},
		{"user namespace without a variable", 0, nil, true, defaultRoot},
		{"user namespace", 0, map[string]string{"XDG_RUNTIME_DIR": "/run/user/1000", "USER": "joe"}, true, "/run/user/1000/berth"},
		{"user namespace without user", 0, map[string]string{"XDG_RUNTIME_DIR": "/run/user/1000"}, true, "/run/user/1000/berth"},
		{"root of a machine in a user namespace", 0, map[string]string{"XDG_RUNTIME_DIR": "/run/user/0", "USER": "root"}, true, defaultRoot},
	}
	for _, test := range tests {
		getenv := func(name string) string { return test.env[name] }
		isOwn := func(dir string) bool { return dir == "/run/user/1001" || dir == "/run/user/0" }
		got := defaultRootFor(test.euid, getenv, func() bool { return test.userNS }, isOwn)
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestRootRefusesSlash(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/", link); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{"/", "//", "/tmp/..", link, link + "/."} {
		a := app{global: globalOptions{root: root}}
		if got, err := a.root(); err == nil {
			t.Errorf("--root %s gives %s", root, got)
		}
	}
	dir := filepath.Join(t.TempDir(), "missing", "dir")
	a := app{global: globalOptions{root: dir}}
	if got, err := a.root(); err != nil || got != dir {
		t.Errorf("--root %s gives %s, %v", dir, got, err)
	}
}

func TestRootlessOption(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "false": false} {
		g := globalOptions{rootless: value}
		if got, err := g.isRootless(); err != nil || got != want {
			t.Errorf("--rootless %s: %v, %v", value, got, err)
		}
	}
	g := globalOptions{rootless: "maybe"}
	if _, err := g.isRootless(); err == nil {
		t.Error("--rootless maybe is accepted")
	}
}
