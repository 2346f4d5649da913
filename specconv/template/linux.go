// SPDX-License-Identifier: Apache-2.0

package template

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/berth-run/berth/specconv/internal/mountoption"
	"github.com/berth-run/berth/specconv/internal/netplan"
	"github.com/berth-run/berth/specconv/internal/sample"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// binds adds bind mounts. A bind mount replaces a volume of the image at the same path.
func (d *draft) binds() error {
	for _, text := range d.Binds {
		m, err := parseBind(text)
		if err != nil {
			return fmt.Errorf("--bind: %w", err)
		}
		m.Source = d.inBundle(d.absolute(m.Source))
		if slices.Contains(d.volumes, m.Destination) {
			d.spec.Mounts = slices.DeleteFunc(d.spec.Mounts, func(v specs.Mount) bool {
				return v.Destination == m.Destination && v.Type == "tmpfs"
			})
		}
		d.spec.Mounts = append(d.spec.Mounts, *m)
	}
	return nil
}

// parseBind parses SRC:DST[:OPTIONS]. The options are those of a mount in config.json,
// separated by commas.
func parseBind(text string) (*specs.Mount, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" {
		return nil, fmt.Errorf("not of the form SRC:DST[:OPTIONS], without further colons: %q", text)
	}
	m := &specs.Mount{Destination: path.Clean(parts[1]), Type: "bind", Source: parts[0]}
	switch {
	case !path.IsAbs(parts[1]):
		return nil, fmt.Errorf("%q: the destination must be an absolute path: %q", text, parts[1])
	case m.Destination == "/":
		return nil, fmt.Errorf("%q: a mount over the root file system itself is not possible", text)
	}
	if len(parts) == 3 {
		m.Options = strings.Split(parts[2], ",")
	}
	kind := false
	for _, name := range m.Options {
		if o, _, ok := strings.Cut(name, "="); ok && mountoption.IsIDMapOption(o) {
			continue
		}
		if o, ok := mountoption.Find(name); !ok || o.Kind == mountoption.CopyUp || name == "remount" {
			return nil, fmt.Errorf("%q: not an option of a bind mount: %q", text, name)
		}
		kind = kind || name == "bind" || name == "rbind"
	}
	if !kind {
		m.Options = append([]string{"rbind"}, m.Options...)
	}
	return m, nil
}

// idMaps changes the config.json for an ordinary user, with --rootless.
func (d *draft) idMaps() error {
	if !d.Rootless {
		if d.SubIDs {
			return errors.New("--subids: only together with --rootless")
		}
		return nil
	}
	sample.ToRootless(d.spec, d.UID, d.GID)
	if !d.SubIDs {
		return nil
	}
	return d.addSubIDs()
}

// network sets berth's own annotation, so that create needs no option, or chooses the
// namespace.
func (d *draft) network() error {
	if len(d.Networks) == 0 {
		return nil
	}
	for _, word := range []string{"host", "none"} {
		switch {
		case !slices.Contains(d.Networks, word):
			continue
		case len(d.Networks) > 1:
			return fault.New("--network", "%q must be the only one: %q", word, d.Networks)
		case word == "host":
			d.spec.Linux.Namespaces = slices.DeleteFunc(d.spec.Linux.Namespaces, isNetwork)
		default:
			d.ownNetwork()
		}
		return nil
	}
	if d.Rootless {
		return fault.New("--network", "%q: not together with --rootless: only root may connect a container with a bridge of the host", d.Networks)
	}
	n, err := netplan.ParseOptions(d.Networks)
	if err != nil {
		return err
	}
	w := &netplan.Plan{Field: "--network", Interfaces: "--network"}
	if err := w.AddInterfaces(n.Interfaces, nil); err != nil {
		return err
	}
	plan := &configs.Config{Hostname: d.spec.Hostname}
	for i, m := range d.spec.Mounts {
		plan.Mounts = append(plan.Mounts, configs.Mount{Field: fault.Element("mounts", i), Destination: m.Destination})
	}
	if err := w.NameFiles(n, plan); err != nil {
		return err
	}
	d.annotate(netplan.AnnotationNetwork, n.Write())
	return nil
}

func isNetwork(ns specs.LinuxNamespace) bool { return ns.Type == specs.NetworkNamespace }

// ownNetwork gives the container a network namespace with only a loopback interface. Only a
// rootless config lacks a network namespace. With one, it can also mount its own sysfs.
func (d *draft) ownNetwork() {
	l := d.spec.Linux
	if slices.ContainsFunc(l.Namespaces, isNetwork) {
		return
	}
	l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	for i, m := range d.spec.Mounts {
		if m.Destination == "/sys" {
			d.spec.Mounts[i] = sample.Sysfs()
		}
	}
}

// limits sets the limits of the cgroup.
func (d *draft) limits() error {
	l := d.spec.Linux
	if l.Resources == nil && (d.Memory != "" || d.CPUs != "") {
		l.Resources = new(specs.LinuxResources)
	}
	if d.Memory != "" {
		size, err := specconv.ParseSize(d.Memory)
		if err == nil && size <= 0 {
			err = fmt.Errorf("must be more than 0: %q", d.Memory)
		}
		if err != nil {
			return fmt.Errorf("--memory: %w", err)
		}
		l.Resources.Memory = &specs.LinuxMemory{Limit: &size}
	}
	if d.CPUs != "" {
		quota, err := parseCPUs(d.CPUs)
		if err != nil {
			return fmt.Errorf("--cpus: %w", err)
		}
		period := uint64(cpuPeriod)
		l.Resources.CPU = &specs.LinuxCPU{Quota: &quota, Period: &period}
	}
	return nil
}

// The period of a CPU quota, and the smallest and largest quota that the kernel accepts, in
// microseconds (min_cfs_quota_period and max_bw_quota_period_us of kernel/sched/core.c).
const (
	cpuPeriod          = 100_000
	minQuota, maxQuota = 1000, 1<<44 - 1
)

// parseCPUs parses a number of CPUs, which may have a fraction, and returns the quota per
// period.
func parseCPUs(text string) (int64, error) {
	n, err := strconv.ParseFloat(text, 64)
	// ParseFloat also accepts infinity, hexadecimal digits and underscores.
	if err != nil || strings.Trim(text, "0123456789.") != "" {
		return 0, fmt.Errorf("not a number of CPUs like 2 or 0.5: %q", text)
	}
	quota := math.Round(n * cpuPeriod)
	if quota < minQuota || quota > maxQuota {
		return 0, fmt.Errorf("out of range (%g to %d): %q", float64(minQuota)/cpuPeriod, maxQuota/cpuPeriod, text)
	}
	return int64(quota), nil
}

func (d *draft) annotate(key, value string) {
	if d.spec.Annotations == nil {
		d.spec.Annotations = make(map[string]string)
	}
	d.spec.Annotations[key] = value
}
