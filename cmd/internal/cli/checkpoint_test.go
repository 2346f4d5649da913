// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestRestoreIgnoresServiceManager: restored processes keep the descriptors and the notify socket
// that they had.
func TestRestoreIgnoresServiceManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "relative")
	t.Setenv("LISTEN_FDS", "many")
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	t.Chdir(t.TempDir())
	if got := invoke(t, "berth", "--root", t.TempDir(), "restore", "--image-path", t.TempDir(), "x"); !strings.Contains(got.stderr, "config.json") {
		t.Errorf("restore: %q, want an error about the missing config.json", got.stderr)
	}
	if got := invoke(t, "berth", "--root", t.TempDir(), "create", "x"); !strings.Contains(got.stderr, "environment: ") {
		t.Errorf("create: %q, want an error about the environment", got.stderr)
	}
}

func TestCheckLSMProfile(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "apparmor:p": true, "selinux:a:b:c:s0": true, "apparmor:": false, "apparmor": false, "smack:x": false, ":x": false,
	} {
		if err := checkLSMProfile(text); (err == nil) != ok || err != nil && !strings.HasPrefix(err.Error(), "--lsm-profile: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
