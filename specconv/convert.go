// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// conversion is the state of converting one document to a plan.
type conversion struct {
	spec *specs.Spec
	// linux is spec.Linux, or an empty one.
	linux *specs.Linux
	opts  *Options
	// unprivileged means that the runtime is rootless and not even root of a user namespace, so
	// that the container needs its own user namespace.
	unprivileged bool
	// live means that the container exists already.
	live bool
	// unmapped is set if the id maps have errors. What they map is not known then.
	unmapped bool
	plan     *configs.Config
}

// step converts and checks one part of the document. Its errors name the field
// relative to the parent.
type step struct {
	parent string
	run    func(*conversion) error
}

// steps are run in this order. A step may rely on earlier ones only where a comment says so.
// Each reports all errors of its own fields ([fault.List]), and Convert returns the first. Check
// goes on after an error, and collects the errors of all steps.
var steps = [...]step{
	{"", (*conversion).version},
	// The namespaces come early: what a container may set depends on them.
	{"linux", (*conversion).namespaces},
	{"linux", (*conversion).idMappings},
	{"", (*conversion).process},
	{"", (*conversion).root},
	{"", (*conversion).hostname},
	{"", (*conversion).mounts},
	{"hooks", (*conversion).hooks},
	{"linux", (*conversion).timeOffsets},
	{"linux", (*conversion).sysctls},
	{"linux", (*conversion).devices},
	{"linux", (*conversion).netDevices},
	{"linux", (*conversion).cgroup},
	{"linux", (*conversion).paths},
	{"linux", (*conversion).labels},
	{"", (*conversion).seccomp},
	{"linux", (*conversion).personality},
	{"linux", (*conversion).memoryPolicy},
	{"linux", (*conversion).intelRdt},
	{"", (*conversion).annotations},
	{"", (*conversion).network},
}

// Convert checks spec and converts it to a plan. The error names the first wrong field. The
// plan shares memory with spec, which must not be changed afterwards.
func Convert(spec *specs.Spec, o *Options) (*configs.Config, error) {
	return convert(spec, o, unix.Geteuid())
}

func convert(spec *specs.Spec, o *Options, euid int) (*configs.Config, error) {
	c := newConversion(spec, o, euid)
	for i := range steps {
		if err := steps[i].of(c); err != nil {
			return nil, err
		}
	}
	return c.plan, nil
}

func newConversion(spec *specs.Spec, o *Options, euid int) *conversion {
	c := &conversion{spec: spec, linux: spec.Linux, opts: o, unprivileged: o.Rootless && euid != 0}
	if c.linux == nil {
		c.linux = new(specs.Linux)
	}
	c.plan = &configs.Config{
		SpecVersion:  spec.Version,
		Bundle:       o.Bundle,
		Annotations:  spec.Annotations,
		NoPivotRoot:  o.NoPivotRoot,
		NoNewKeyring: o.NoNewKeyring,
	}
	return c
}

// of runs the step for c. The error has the whole names of the fields.
func (s *step) of(c *conversion) error {
	err := s.run(c)
	if err != nil && s.parent != "" {
		err = fault.In(err, s.parent)
	}
	return err
}

// version accepts every 0.x and 1.x, even if newer than berth, because within a major version
// the runtime-spec only adds fields. Like runc, it accepts a missing version. In a later major
// version, the same fields may have another meaning.
func (c *conversion) version() error {
	v := c.spec.Version
	if major, _, ok := strings.Cut(strings.TrimPrefix(v, "v"), "."); ok && v != "" {
		if n, err := strconv.Atoi(major); err == nil && (n == 0 || n == 1) {
			return nil
		}
	} else if v == "" {
		return nil
	}
	return fault.New("ociVersion", "unsupported version %q, must be 1.x", v)
}

// hostname needs a UTS namespace, new or joined. Without one it would change the names of the
// host.
func (c *conversion) hostname() error {
	var errs fault.List
	private := c.plan.Namespaces.Contains(configs.NewUTS)
	for _, f := range [...]struct{ name, value string }{
		{"hostname", c.spec.Hostname}, {"domainname", c.spec.Domainname},
	} {
		if f.value == "" {
			continue
		}
		if !private {
			errs.Add(fault.New(f.name, "unable to set %s without a private UTS namespace", f.name))
		}
		errs.Add(fault.NoNUL(f.name, f.value))
		// The kernel's __NEW_UTS_LEN; the kernel itself would only return EINVAL.
		if len(f.value) > 64 {
			errs.Add(fault.New(f.name, "%d bytes, more than the 64 that the kernel takes", len(f.value)))
		}
	}
	c.plan.Hostname, c.plan.Domainname = c.spec.Hostname, c.spec.Domainname
	return errs.Err()
}

// labels converts the AppArmor profile and the SELinux labels.
func (c *conversion) labels() error {
	c.plan.MountLabel.Label = c.linux.MountLabel
	return fault.NoNUL("mountLabel", c.linux.MountLabel)
}
