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
	var errs fault.List
	c.plan.Hooks = *c.spec.Hooks
	for _, kind := range hookKinds(c.spec.Hooks) {
		for i := range kind.hooks {
			errs.Add(fault.At(hook(&kind.hooks[i]), kind.name, i))
		}
	}
	return errs.Err()
}

func hook(h *specs.Hook) error {
	var errs fault.List
	if !path.IsAbs(h.Path) {
		errs.Add(fault.New("path", "must be an absolute path: %q", h.Path))
	}
	if h.Timeout != nil && *h.Timeout <= 0 {
		errs.Add(fault.New("timeout", "must be greater than zero: %d", *h.Timeout))
	}
	errs.Add(fault.NoNUL("path", h.Path))
	errs.Add(fault.NoNULs("args", h.Args))
	errs.Add(fault.NoNULs("env", h.Env))
	return errs.Err()
}
