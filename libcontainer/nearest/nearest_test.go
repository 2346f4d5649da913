// SPDX-License-Identifier: Apache-2.0

package nearest

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"memory", "memoryPolicy", "noNewPrivileges", "mounts", "nosuid", "ro", "create", "delete", "state", "start", "CAP_SYS_ADMIN"}
	for word, want := range map[string]string{
		"memoryy":           "memory",
		"MEMORY":            "memory",
		"mem":               "",
		"noNewPriviledges":  "noNewPrivileges",
		"no_new_privileges": "noNewPrivileges",
		"mount":             "mounts",
		"nosiud":            "nosuid",
		"raedonly":          "",
		"creat":             "create",
		"satrt":             "start",
		"stat":              "state",
		"CAP_SYSADMIN":      "CAP_SYS_ADMIN",
		"":                  "",
		"x":                 "",
		"zzzzzzzz":          "",
	} {
		if got := Of(word, known); got != want {
			t.Errorf("Of(%q) is %q, want %q", word, got, want)
		}
	}
	if got, want := Hint("nosiud", known), ` (did you mean "nosuid"?)`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Hint("zzz", known); got != "" {
		t.Errorf("%q for nothing near", got)
	}
}
