// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"strconv"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/builder"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Plan returns the parts of the container's plan that further mounts depend on. The id maps are
// read from the kernel. It returns ErrNotRunning if the container has stopped.
func (c *Container) Plan() (*configs.Config, error) {
	cfg := &configs.Config{
		SpecVersion: c.rec.Saved.OCIVersion, Bundle: c.rec.Saved.Bundle, MountLabel: configs.MountLabel{Label: c.rec.Saved.MountLabel},
		Annotations: c.rec.Saved.Annotations,
		Rootfs:      configs.Rootfs{Path: c.rec.Saved.Rootfs, Propagation: uintptr(c.rec.Saved.RootfsPropagation)},
		Cgroup:      configs.Cgroup{Rootless: c.rec.Saved.CgroupRootless},
	}
	pidfd, err := c.rec.OpenInit()
	if err != nil {
		return nil, err
	}
	defer pidfd.Close()
	dir := "/proc/" + strconv.Itoa(c.rec.Saved.PID)
	for _, t := range configs.NamespaceTypes() {
		ns := configs.Namespace{Type: t}
		if configs.NamespaceType(c.rec.Saved.JoinedNamespaces)&t != 0 {
			ns.Path = dir + "/ns/" + t.ProcName()
		}
		if configs.NamespaceType(c.rec.Saved.Namespaces)&t != 0 {
			cfg.Namespaces = append(cfg.Namespaces, ns)
		}
	}
	if !cfg.Namespaces.Contains(configs.NewUser) {
		return cfg, nil
	}
	for _, m := range [...]struct {
		file string
		rows *[]configs.IDMap
	}{{"/uid_map", &cfg.UIDMappings}, {"/gid_map", &cfg.GIDMappings}} {
		if *m.rows, err = userns.ReadMap(dir + m.file); err != nil {
			return nil, err
		}
	}
	// Another process may have init's number by now.
	if err := unix.PidfdSendSignal(int(pidfd.Fd()), 0, nil, 0); err != nil {
		return nil, record.ErrNotRunning
	}
	return cfg, nil
}

// AddMounts makes the mounts of cfg, which is [Container.Plan] with mounts added, in a container
// that has not stopped: all of them, or none if one fails. A paused container stays paused.
func (c *Container) AddMounts(cfg *configs.Config) error {
	return c.changeMounts(cfg, false)
}

// RemoveMounts unmounts what is mounted at the destinations of the mounts of cfg, the last one
// first: all of them or none. It uses only the names and destinations.
func (c *Container) RemoveMounts(cfg *configs.Config) error {
	return c.changeMounts(cfg, true)
}

func (c *Container) changeMounts(cfg *configs.Config, remove bool) error {
	return c.change(func(status specs.ContainerState, m cgroups.Manager) error {
		if status == specs.StateStopped || status == specs.StateCreating {
			return record.ErrNotRunning
		}
		target, err := c.rec.OpenInit()
		if err != nil {
			return err
		}
		defer target.Close()
		c.debugMounts(cfg, remove)
		span := c.rec.Begin("change the mounts")
		if err := span.End(builder.NewChange(c.rec, cfg, target, m).Run(remove)); err != nil {
			if unix.PidfdSendSignal(int(target.Fd()), 0, nil, 0) != nil {
				return fmt.Errorf("%w (it has just ended: %w)", record.ErrNotRunning, err)
			}
			return err
		}
		return nil
	})
}
