// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// documented is the runtime's path in docs/engines.md.
const documented = "/opt/berth/runc"

// snippet returns the first block of that language under that heading of docs/engines.md, with
// the runtime of this run. So what an engine is configured with is what a reader is told.
func snippet(heading, language string) (string, error) {
	text, err := block(heading, language)
	if err == nil && !strings.Contains(text, filepath.Dir(documented)) {
		err = fmt.Errorf("docs/engines.md: the %s under %q does not have %s", language, heading, filepath.Dir(documented))
	}
	return strings.ReplaceAll(text, documented, runtimePath()), err
}

// block returns the first block of that language under that heading.
func block(heading, language string) (string, error) {
	data, err := os.ReadFile("../../docs/engines.md")
	if err != nil {
		return "", err
	}
	_, section, found := strings.Cut(string(data), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, text, begins := strings.Cut(section, "\n```"+language+"\n")
	text, _, ends := strings.Cut(text, "```\n")
	if !found || !begins || !ends {
		return "", fmt.Errorf("docs/engines.md: no %s under %q", language, heading)
	}
	return text, nil
}

// runtimePath is what engines are told: berth by the name runc, as the document has it.
func runtimePath() string {
	if suite.name != "berth" {
		return suite.runtime
	}
	return documented
}

// linkRuntime makes the document's link to berth.
func linkRuntime() error {
	if runtimePath() != documented {
		return nil
	}
	if err := os.MkdirAll("/opt/berth", 0o755); err != nil {
		return err
	}
	if err := os.Symlink(suite.runtime, documented); err != nil && !os.IsExist(err) {
		return err
	}
	return nil
}
