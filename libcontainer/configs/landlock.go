// SPDX-License-Identifier: Apache-2.0

package configs

// LandlockAnnotation holds the Landlock rules of a config, since the runtime-spec has no field
// for them. LandlockField is its name in errors.
const (
	LandlockAnnotation = "run.berth.landlock"
	LandlockField      = `annotations["` + LandlockAnnotation + `"]`
)

// LandlockABI is the highest version of the kernel's interface whose rights can be used.
const LandlockABI = 6

// Landlock holds rules that a process and its descendants cannot drop (landlock(7)). Rights are
// the kernel's LANDLOCK_* bits.
type Landlock struct {
	// ABI is the version of the kernel's interface that the rules need.
	ABI int
	// FS and Net are the rights that are denied unless a rule allows them. Scoped is denied in
	// any case.
	FS, Net, Scoped uint64
	Paths           []LandlockPath
	Ports           []LandlockPort
}

// LandlockPath allows rights at and below a path.
type LandlockPath struct {
	// Path is absolute in the container.
	Path  string
	Allow uint64
	// Field names it in errors.
	Field string
}

// LandlockPort allows rights for a TCP port.
type LandlockPort struct {
	Port  uint16
	Allow uint64
}
