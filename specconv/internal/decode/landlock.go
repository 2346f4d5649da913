// SPDX-License-Identifier: Apache-2.0

package decode

import "github.com/berth-run/berth/libcontainer/codec"

// Landlock is the document of berth's own annotation for Landlock rules (docs/landlock.md),
// unchecked except for the types. Its words are those of the kernel's linux/landlock.h, without
// prefixes and in lower case.
type Landlock struct {
	// ABI is the Landlock ABI that the rights belong to. It is also the document's version.
	ABI              int            `json:"abi"`
	HandledAccessFS  []string       `json:"handledAccessFS"`
	HandledAccessNet []string       `json:"handledAccessNet"`
	Scoped           []string       `json:"scoped"`
	PathBeneath      []LandlockRule `json:"pathBeneath"`
	NetPort          []LandlockRule `json:"netPort"`
}

// LandlockRule is a rule for paths or for ports.
type LandlockRule struct {
	AllowedAccess []string `json:"allowedAccess"`
	Paths         []string `json:"paths"`
	Ports         []uint16 `json:"ports"`
}

// ParseLandlock parses a Landlock. Errors are like those of ParseNetwork.
func ParseLandlock(document string) (l *Landlock, field string, err error) {
	return strict(document, landlockFields)
}

func landlockFields(c *codec.Coder, v *Landlock) {
	codec.Signed(c, "abi", &v.ABI)
	codec.Texts(c, "handledAccessFS", &v.HandledAccessFS)
	codec.Texts(c, "handledAccessNet", &v.HandledAccessNet)
	codec.Texts(c, "scoped", &v.Scoped)
	codec.StrictRecords(c, "pathBeneath", &v.PathBeneath, landlockRuleFields)
	codec.StrictRecords(c, "netPort", &v.NetPort, landlockRuleFields)
}

func landlockRuleFields(c *codec.Coder, v *LandlockRule) {
	codec.Texts(c, "allowedAccess", &v.AllowedAccess)
	codec.Texts(c, "paths", &v.Paths)
	codec.Numbers(c, "ports", &v.Ports)
}
