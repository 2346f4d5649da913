// SPDX-License-Identifier: Apache-2.0

package scripts

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestAreCobras: the scripts work for any name of the program. A test in berth-docs checks those for
// berth itself.
func TestAreCobras(t *testing.T) {
	runc := &cobra.Command{Use: "runc"}
	for _, s := range All() {
		for _, described := range []bool{false, true} {
			var b bytes.Buffer
			var err error
			switch s.Shell {
			case "bash":
				err = runc.GenBashCompletionV2(&b, described)
			case "zsh":
				err = runc.GenZshCompletionNoDesc(&b)
				if described {
					b.Reset()
					err = runc.GenZshCompletion(&b)
				}
			case "fish":
				err = runc.GenFishCompletion(&b, described)
			case "powershell":
				err = runc.GenPowerShellCompletion(&b)
				if described {
					b.Reset()
					err = runc.GenPowerShellCompletionWithDesc(&b)
				}
			}
			// The heading has a different width.
			squeeze := func(script string) string { return strings.ReplaceAll(script, " ", "") }
			if err != nil || squeeze(s.Text("runc", described)) != squeeze(b.String()) {
				t.Errorf("%s (descriptions %v) differs from cobra's: %v", s.Shell, described, err)
			}
		}
	}
}
