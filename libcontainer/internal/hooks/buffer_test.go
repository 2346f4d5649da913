// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// A stream with a file goes into the file, and the other one is still in the error.
func TestHookOutputHalf(t *testing.T) {
	out, err := OpenOutput(filepath.Join(t.TempDir(), "out"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	err = Run("prestart", []specs.Hook{sh("echo one; echo two >&2; exit 1")}, &specs.State{}, out, nil, nil)
	if err == nil || !strings.Contains(err.Error(), `"two"`) || strings.Contains(err.Error(), "one") {
		t.Errorf("error %v", err)
	}
}
