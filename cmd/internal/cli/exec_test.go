// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"
)

func TestExecFailureStatus(t *testing.T) {
	for _, argv := range [][]string{{"exec", "nobody", "true"}, {"exec", "--nonesuch"}, {"exec"}} {
		got := invoke(t, "berth", append([]string{"--root", t.TempDir()}, argv...)...)
		if got.status != exitExecFailure || !strings.Contains(got.stderr, "exec failed: ") {
			t.Errorf("%q: status %d, stderr %q", argv, got.status, got.stderr)
		}
	}
}
