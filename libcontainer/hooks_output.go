// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/options"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// hookOutput is where the output of hooks goes. What is nil has no file: it is kept
// for the error of a hook that fails.
type hookOutput struct{ stdout, stderr *os.File }

// openHookOutput opens the files that annotations name, "" for none. They are made when
// missing, and appended to, since several commands and hooks write to them.
func openHookOutput(stdout, stderr string) (out hookOutput, err error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if stdout != "" {
		if out.stdout, err = os.OpenFile(stdout, flags, 0o600); err != nil {
			return out, fmt.Errorf("run.oci.hooks.stdout: %w", err)
		}
	}
	if stderr != "" {
		if out.stderr, err = os.OpenFile(stderr, flags, 0o600); err != nil {
			out.close()
			return hookOutput{}, fmt.Errorf("run.oci.hooks.stderr: %w", err)
		}
	}
	return out, nil
}

func (o hookOutput) close() {
	for _, f := range []*os.File{o.stdout, o.stderr} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// warnHooks runs hooks of the saved state, and only warns about those that fail. They
// are run also when their files cannot be opened: what they do matters more than what
// they say.
func (c *Container) warnHooks(kind string, hooks []specs.Hook, state *specs.State, log options.Logger) {
	if len(hooks) == 0 {
		return
	}
	out, err := openHookOutput(c.rec.Saved.HookStdout, c.rec.Saved.HookStderr)
	if err != nil {
		log.Warnf("hooks.%s: %v", kind, err)
	}
	defer out.close()
	warnHooks(kind, hooks, state, out, log)
}
