// SPDX-License-Identifier: Apache-2.0

package unixsocket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// listen makes a socket at a path of any length.
func listen(t *testing.T, path string) {
	t.Helper()
	// Relative to the directory the path is short.
	t.Chdir(filepath.Dir(path))
	l, err := net.Listen("unix", filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

func TestConnect(t *testing.T) {
	base := t.TempDir()
	for _, length := range []int{longest - 1, longest, longest + 1, longest + 2, 300, 1000} {
		path := base
		for length-len(path) > 90 {
			path += "/" + strings.Repeat("d", 80)
		}
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		path += "/" + strings.Repeat("s", length-len(path)-1)
		listen(t, path)
		if err := connect(t, path); err != nil {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

func TestConnectFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), strings.Repeat("f", 120))
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		file:                               unix.ECONNREFUSED,
		file + "-not":                      unix.ENOENT,
		"/" + strings.Repeat("x", 300):     unix.ENAMETOOLONG,
		"@" + strings.Repeat("a", 300):     unix.EINVAL,
		"/" + strings.Repeat("a/b/", 2000): unix.ENAMETOOLONG,
	} {
		if err := connect(t, path); !errors.Is(err, want) {
			t.Errorf("%.20s: %v, want %v", path, err, want)
		}
	}
}

func connect(t *testing.T, path string) error {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	return Connect(fd, path)
}
