// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"fmt"
	"strings"
)

const (
	sliceSuffix = ".slice"
	scopeSuffix = ".scope"
	// rootSlice is the slice that contains all others.
	rootSlice = "-" + sliceSuffix
	// defaultPrefix is for a container that has no cgroupsPath.
	defaultPrefix = "berth"
	// maxUnitName is the maximum length of a unit's name (systemd.unit(5)).
	maxUnitName = 255
)

// unitName is the meaning of linux.cgroupsPath for this driver: "slice:prefix:name".
type unitName struct {
	// unit is "prefix-name.scope", or the name itself if that is a slice.
	unit string
	// slice is the slice of a scope. parents are the directories of all slices around the unit,
	// outermost first, with a slash after each.
	slice, parents string
}

// path returns the path of the unit's cgroup below that of its manager.
func (n *unitName) path() string { return n.parents + n.unit }

// parseName parses linux.cgroupsPath. The default slice is the one for units of the manager's
// owner, and the default name is the container's id.
func parseName(path, id string, user bool) (unitName, error) {
	slice, prefix, name := "", defaultPrefix, ""
	if path != "" {
		parts := strings.Split(path, ":")
		if len(parts) != 3 {
			return unitName{}, fmt.Errorf("expected slice:prefix:name for the systemd driver, got %q", path)
		}
		slice, prefix, name = parts[0], parts[1], parts[2]
	}
	if name == "" {
		name = escape(id)
	}
	if strings.HasSuffix(name, sliceSuffix) {
		return sliceName(name, slice)
	}
	switch {
	case slice == "" && user:
		slice = "user.slice"
	case slice == "":
		slice = "system.slice"
	}
	parents, err := expandSlice(slice)
	if err != nil {
		return unitName{}, err
	}
	unit := prefix + "-" + name + scopeSuffix // also without a prefix, as in other runtimes
	return unitName{unit: unit, slice: slice, parents: parents}, checkUnitName(unit)
}

// sliceName returns the name of a unit that is a slice. Its place follows from its name and
// cannot be chosen.
func sliceName(unit, slice string) (unitName, error) {
	path, err := expandSlice(unit)
	if err != nil {
		return unitName{}, err
	}
	if path == "" {
		return unitName{}, fmt.Errorf("%q is no cgroup of the container's own", unit)
	}
	parents := strings.TrimSuffix(path, unit+"/")
	if slice != "" {
		if want, err := expandSlice(slice); err != nil {
			return unitName{}, err
		} else if want != parents {
			return unitName{}, fmt.Errorf("slice %s cannot be in %s: its name tells that it is in %q", unit, slice, "/"+parents)
		}
	}
	return unitName{unit: unit, parents: parents}, nil
}

// expandSlice returns the directory of a slice with all those around it. Each dash in a name is
// a level, so that a-b.slice is a.slice/a-b.slice/ (systemd.slice(5)).
func expandSlice(slice string) (string, error) {
	if slice == rootSlice {
		return "", nil
	}
	base, ok := strings.CutSuffix(slice, sliceSuffix)
	if !ok || base == "" || strings.HasPrefix(base, "-") || strings.HasSuffix(base, "-") || strings.Contains(base, "--") {
		return "", fmt.Errorf("invalid slice name: %q", slice)
	}
	if err := checkUnitName(slice); err != nil {
		return "", err
	}
	var b strings.Builder
	for i := range len(base) {
		if base[i] == '-' {
			b.WriteString(base[:i] + sliceSuffix + "/")
		}
	}
	b.WriteString(slice + "/")
	return b.String(), nil
}

// checkUnitName checks systemd's rules for unit names, with better error texts.
func checkUnitName(unit string) error {
	if len(unit) > maxUnitName {
		return fmt.Errorf("the name of the unit would be longer than %d characters", maxUnitName)
	}
	if i := strings.IndexFunc(unit, notInUnitName); i >= 0 {
		return fmt.Errorf("not a name for a unit: %q", unit)
	}
	return nil
}

func notInUnitName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(`:-_.\`, r)
}

// escape escapes text for use in the name of a unit, as systemd-escape(1) does: the "+" that an
// id may contain is not allowed there.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c == '\\' || notInUnitName(rune(c)) {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// objectPath returns the D-Bus object of a unit.
func objectPath(unit string) string {
	b := []byte("/org/freedesktop/systemd1/unit/")
	const hex = "0123456789abcdef"
	for i := range len(unit) {
		c := unit[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' && i > 0 {
			b = append(b, c)
		} else {
			b = append(b, '_', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}
