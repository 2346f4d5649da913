// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"
)

func TestCheckLSMProfile(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "apparmor:p": true, "selinux:a:b:c:s0": true, "apparmor:": false, "apparmor": false, "smack:x": false, ":x": false,
	} {
		if err := checkLSMProfile(text); (err == nil) != ok || err != nil && !strings.HasPrefix(err.Error(), "--lsm-profile: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
