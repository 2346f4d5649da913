// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path"
	"slices"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// defaultDevices are the nodes that every container has (config-linux.md, Default Devices);
// /dev/console and /dev/ptmx are not separate nodes; they are created elsewhere.
var defaultDevices = [...]configs.Device{
	{Path: "/dev/null", Type: 'c', Major: 1, Minor: 3, FileMode: 0o666, Default: true},
	{Path: "/dev/zero", Type: 'c', Major: 1, Minor: 5, FileMode: 0o666, Default: true},
	{Path: "/dev/full", Type: 'c', Major: 1, Minor: 7, FileMode: 0o666, Default: true},
	{Path: "/dev/random", Type: 'c', Major: 1, Minor: 8, FileMode: 0o666, Default: true},
	{Path: "/dev/urandom", Type: 'c', Major: 1, Minor: 9, FileMode: 0o666, Default: true},
	{Path: "/dev/tty", Type: 'c', Major: 5, Minor: 0, FileMode: 0o666, Default: true},
}

// The largest numbers in the kernel's dev_t.
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

// devices converts linux.devices and adds the default devices, unless the config has a device
// at the same path.
func (c *conversion) devices() error {
	var errs fault.List
	own := make([]configs.Device, 0, len(c.linux.Devices)+len(defaultDevices))
	for i := range c.linux.Devices {
		d, err := device(&c.linux.Devices[i])
		if err != nil {
			errs.Add(fault.At(err, "devices", i))
			continue
		}
		if j := indexDevice(own, d.Path); j < 0 {
			own = append(own, d)
		} else if own[j] != d {
			errs.Add(fault.New(fault.Element("devices", i)+".path", "%s is another device in %s", d.Path, fault.Element("devices", j)))
		}
	}
	listed := own
	for _, d := range defaultDevices {
		if indexDevice(listed, d.Path) < 0 {
			own = append(own, d)
		}
	}
	c.plan.Devices = own
	return errs.Err()
}

func indexDevice(devices []configs.Device, path string) int {
	return slices.IndexFunc(devices, func(d configs.Device) bool { return d.Path == path })
}

func device(s *specs.LinuxDevice) (configs.Device, error) {
	d := configs.Device{Path: path.Clean(s.Path), FileMode: 0o666}
	var errs fault.List
	if !path.IsAbs(s.Path) {
		errs.Add(fault.New("path", "must be an absolute path: %q", s.Path))
	}
	errs.Add(fault.NoNUL("path", s.Path))
	switch s.Type {
	case "b", "c", "p":
		d.Type = s.Type[0]
	case "u":
		d.Type = 'c'
	default:
		errs.Add(fault.New("type", configs.PhraseDeviceType+", must be b, c, u or p", s.Type))
	}
	if d.Type != 'p' {
		if s.Major < 0 || s.Major > maxMajor {
			errs.Add(fault.New("major", "must be between 0 and %d: %d", maxMajor, s.Major))
		}
		if s.Minor < 0 || s.Minor > maxMinor {
			errs.Add(fault.New("minor", "must be between 0 and %d: %d", maxMinor, s.Minor))
		}
		d.Major, d.Minor = s.Major, s.Minor
	}
	if s.FileMode != nil {
		// Docker includes the file type, as in stat(2).
		d.FileMode = uint32(*s.FileMode) & 0o7777
	}
	if s.UID != nil {
		d.UID = *s.UID
	}
	if s.GID != nil {
		d.GID = *s.GID
	}
	return d, errs.Err()
}
