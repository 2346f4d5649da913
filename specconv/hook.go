// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path"

	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// KnownHooks returns the hooks that Convert accepts, in the order in which they run.
func KnownHooks() []string {
	kinds := hookKinds(new(specs.Hooks))
	all := make([]string, 0, len(kinds))
	for _, k := range kinds {
		all = append(all, k.name)
	}
	return all
}

// hookKind is one of the six lists.
type hookKind struct {
	name  string
	hooks []specs.Hook
}

func hookKinds(h *specs.Hooks) []hookKind {
	return []hookKind{
		{"prestart", h.Prestart},
		{"createRuntime", h.CreateRuntime},
		{"createContainer", h.CreateContainer},
		{"startContainer", h.StartContainer},
		{"poststart", h.Poststart},
		{"poststop", h.Poststop},
	}
}

// hooks checks all hooks before the first one runs.
func (c *conversion) hooks() error {
	if c.spec.Hooks == nil {
		return nil
	}
	c.plan.Hooks = *c.spec.Hooks
	for _, kind := range hookKinds(c.spec.Hooks) {
		for i := range kind.hooks {
			if err := hook(&kind.hooks[i]); err != nil {
				return fault.At(err, kind.name, i)
			}
		}
	}
	return nil
}

func hook(h *specs.Hook) error {
	if !path.IsAbs(h.Path) {
		return fault.New("path", "must be an absolute path: %q", h.Path)
	}
	if h.Timeout != nil && *h.Timeout <= 0 {
		return fault.New("timeout", "must be greater than zero: %d", *h.Timeout)
	}
	if err := fault.NoNUL("path", h.Path); err != nil {
		return err
	}
	if err := fault.NoNULs("args", h.Args); err != nil {
		return err
	}
	return fault.NoNULs("env", h.Env)
}
