// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/berth-run/berth/tests/internal/bundle"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// tier is a kind of container.
type tier string

// The tiers, from the visitor to the data.
const (
	webTier tier = "web"
	appTier tier = "app"
	dbTier  tier = "db"
)

// service is a container of the stack: what distinguishes its bundle.
type service struct {
	name, address string
	tier          tier
	args, env     []string
	// volume is a directory of the host, which the container sees at mountpoint.
	volume, mountpoint string
	writable           bool
	// memory is its limit in bytes, tasks its limit of processes and threads, and quota its CPU
	// time in microseconds per 100 ms.
	memory, tasks, quota int64
}

// The bridge is the gateway, and visitors come in through it.
const (
	bridgeName     = "stack0"
	bridgeAddress  = "10.89.0.1"
	bridgeAddress6 = "fd00:89::1"
	webAddress     = "10.89.0.2"
	dbAddress      = "10.89.0.10"
	dataDirectory  = "/var/lib/postgresql/data"
	password       = "correct horse battery staple"
)

func (s *stack) web() *service {
	return &service{
		name: "web", tier: webTier, address: webAddress,
		args:   []string{"/usr/sbin/nginx", "-c", "/etc/nginx/stack/nginx.conf"},
		volume: s.webConfig(), mountpoint: "/etc/nginx/stack",
		memory: 64 << 20, tasks: 16, quota: 100_000,
	}
}

// app returns the n-th copy of the application, from 1.
func (s *stack) app(n int) *service {
	name := fmt.Sprintf("app%d", n)
	return &service{
		name: name, tier: appTier, address: fmt.Sprintf("10.89.0.%d", 20+n),
		args: []string{"/usr/bin/python3", "/srv/app/app.py"},
		env: []string{
			"APPLICATION=" + name, "PYTHONDONTWRITEBYTECODE=1",
			"DATABASE=host=" + dbAddress + " dbname=orders user=orders password='" + password + "'",
		},
		volume: s.path("app"), mountpoint: "/srv/app",
		memory: 128 << 20, tasks: 64, quota: 100_000,
	}
}

// db returns PostgreSQL, or another command with its data.
func (s *stack) db(name string, args ...string) *service {
	return &service{
		name: name, tier: dbTier, address: dbAddress, args: args,
		env:    []string{"PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin", "LANG=C.UTF-8"},
		volume: s.path("data"), mountpoint: dataDirectory, writable: true,
		memory: 256 << 20, tasks: 64, quota: 150_000,
	}
}

// writeBundle writes the service's bundle: a config.json next to the tier's root file system,
// which is read-only and so shared by the whole tier.
func (s *stack) writeBundle(svc *service) error {
	dir := s.bundle(svc)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	user, err := accountOf(s.config.roots[svc.tier], accounts[svc.tier])
	if err != nil {
		return err
	}
	spec := bundle.Spec()
	spec.Version = "1.2.0"
	spec.Hostname = svc.name
	spec.Root = &specs.Root{Path: s.config.roots[svc.tier], Readonly: true}
	spec.Process.User = user
	spec.Process.Args = svc.args
	spec.Process.Env = append(spec.Process.Env, svc.env...)
	// No service runs as root. This lets ordinary users open port 80.
	spec.Process.Capabilities = &specs.LinuxCapabilities{}
	spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}
	spec.Linux.Seccomp = s.seccomp
	spec.Linux.CgroupsPath = "/berth-stack/" + svc.name
	period := uint64(100_000)
	spec.Linux.Resources = &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: &svc.memory},
		Pids:   &specs.LinuxPids{Limit: &svc.tasks},
		CPU:    &specs.LinuxCPU{Quota: &svc.quota, Period: &period},
	}
	spec.Mounts = append(spec.Mounts, s.mounts(svc, user)...)
	return bundle.Write(dir, spec)
}

// accounts are the users in Debian's packages. The application's user is in none.
var accounts = map[tier]string{webTier: "www-data", appTier: "nobody", dbTier: "postgres"}

// mounts returns the writable mounts of a service: scratch space, which disappears with the
// container, and its volumes.
func (s *stack) mounts(svc *service, user specs.User) []specs.Mount {
	owner := fmt.Sprintf("uid=%d,gid=%d", user.UID, user.GID)
	var mounts []specs.Mount
	for _, dir := range []string{"/tmp", "/run"} {
		mounts = append(mounts, specs.Mount{
			Destination: dir, Type: "tmpfs", Source: "tmpfs",
			Options: []string{"nosuid", "nodev", "noexec", "mode=0755", "size=16m", owner},
		})
	}
	options := []string{"bind", "nosuid", "nodev", "noexec"}
	if !svc.writable {
		options = append(options, "ro")
	}
	return append(mounts, specs.Mount{Destination: svc.mountpoint, Type: "bind", Source: svc.volume, Options: options})
}

func (s *stack) path(name string) string     { return filepath.Join(s.work, name) }
func (s *stack) bundle(svc *service) string  { return s.path("bundle-" + svc.name) }
func (s *stack) webConfig() string           { return s.path("web") }
func (s *stack) log(svc *service) string     { return s.path(svc.name + ".log") }
func (s *stack) pidFile(svc *service) string { return s.path(svc.name + ".pid") }

// address6 has the same last number as the IPv4 address.
func (svc *service) address6() string {
	return "fd00:89::" + svc.address[strings.LastIndexByte(svc.address, '.')+1:]
}

// network returns the service's interface as an argument of `create --network`.
func network(svc *service) string {
	options := []string{
		"bridge=" + bridgeName, "create=true",
		"gateway=" + bridgeAddress, "gateway=" + bridgeAddress6,
		"address=" + svc.address + "/24", "address=" + svc.address6() + "/64",
	}
	return strings.Join(options, ",")
}
