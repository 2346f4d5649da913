// SPDX-License-Identifier: Apache-2.0

// Package landlock reads the annotation run.berth.landlock: rules for what a process may do with
// files.
package landlock

import (
	"path"
	"slices"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/decode"
	"github.com/berth-run/berth/specconv/internal/fault"
)

// landlockRight is a right, and the first ABI that has it. The index in the list is its bit.
type landlockRight struct {
	name string
	abi  int
}

var (
	landlockFS = [...]landlockRight{
		{"execute", 1},
		{"write_file", 1},
		{"read_file", 1},
		{"read_dir", 1},
		{"remove_dir", 1},
		{"remove_file", 1},
		{"make_char", 1},
		{"make_dir", 1},
		{"make_reg", 1},
		{"make_sock", 1},
		{"make_fifo", 1},
		{"make_block", 1},
		{"make_sym", 1},
		{"refer", 2},
		{"truncate", 3},
		{"ioctl_dev", 5},
	}
	landlockNet    = [...]landlockRight{{"bind_tcp", 4}, {"connect_tcp", 4}}
	landlockScoped = [...]landlockRight{{"abstract_unix_socket", 6}, {"signal", 6}}
)

// Rules parses the annotation. It returns nil if there is none. Anything unknown is an error:
// otherwise the container would be less confined than its author believes.
func Rules(annotations map[string]string) (*configs.Landlock, error) {
	text, ok := annotations[configs.LandlockAnnotation]
	if !ok {
		return nil, nil
	}
	doc, key, err := decode.ParseLandlock(text)
	if err != nil {
		if key != "" {
			err = fault.New(key, "%w", err)
		}
		return nil, fault.In(err, configs.LandlockField)
	}
	out, err := convert(doc)
	return out, fault.In(err, configs.LandlockField)
}

func convert(doc *decode.Landlock) (*configs.Landlock, error) {
	if doc.ABI < 1 || doc.ABI > configs.LandlockABI {
		return nil, fault.New("abi", "must be 1 to %d: %d", configs.LandlockABI, doc.ABI)
	}
	out := &configs.Landlock{ABI: doc.ABI}
	for _, h := range [...]struct {
		field string
		names []string
		known []landlockRight
		to    *uint64
	}{
		{"handledAccessFS", doc.HandledAccessFS, landlockFS[:], &out.FS},
		{"handledAccessNet", doc.HandledAccessNet, landlockNet[:], &out.Net},
		{"scoped", doc.Scoped, landlockScoped[:], &out.Scoped},
	} {
		var err error
		if *h.to, err = landlockBits(h.field, h.names, h.known, doc.ABI, ^uint64(0)); err != nil {
			return nil, err
		}
	}
	if out.FS|out.Net|out.Scoped == 0 {
		return nil, fault.New("handledAccessFS", "nothing is handled, here, in handledAccessNet or in scoped")
	}
	if err := paths(doc, out); err != nil {
		return nil, err
	}
	return out, ports(doc, out)
}

func paths(doc *decode.Landlock, out *configs.Landlock) error {
	for i, r := range doc.PathBeneath {
		allow, err := landlockBits("allowedAccess", r.AllowedAccess, landlockFS[:], doc.ABI, out.FS)
		if err == nil && (allow == 0 || len(r.Paths) == 0 || len(r.Ports) > 0) {
			err = fault.New("paths", "a rule has paths and allowedAccess, both not empty")
		}
		for j, p := range r.Paths {
			if err == nil && !path.IsAbs(p) {
				err = fault.New(fault.Element("paths", j), "not an absolute path: %q", p)
			}
			if err == nil {
				err = fault.NoNUL(fault.Element("paths", j), p)
			}
			field := configs.LandlockField + "." + fault.Element("pathBeneath", i) + "." + fault.Element("paths", j)
			out.Paths = append(out.Paths, configs.LandlockPath{Path: p, Allow: allow, Field: field})
		}
		if err != nil {
			return fault.At(err, "pathBeneath", i)
		}
	}
	return nil
}

func ports(doc *decode.Landlock, out *configs.Landlock) error {
	for i, r := range doc.NetPort {
		allow, err := landlockBits("allowedAccess", r.AllowedAccess, landlockNet[:], doc.ABI, out.Net)
		if err == nil && (allow == 0 || len(r.Ports) == 0 || len(r.Paths) > 0) {
			err = fault.New("ports", "a rule has ports and allowedAccess, both not empty")
		}
		if err != nil {
			return fault.At(err, "netPort", i)
		}
		for _, port := range r.Ports {
			out.Ports = append(out.Ports, configs.LandlockPort{Port: port, Allow: allow})
		}
	}
	return nil
}

// landlockBits converts names to rights. Each must exist in the ABI and be handled; "all"
// stands for all of these.
func landlockBits(field string, names []string, known []landlockRight, abi int, handled uint64) (uint64, error) {
	var bits uint64
	for i, name := range names {
		if name == "all" {
			for bit, r := range known {
				if r.abi <= abi {
					bits |= 1 << bit & handled
				}
			}
			continue
		}
		bit := slices.IndexFunc(known, func(r landlockRight) bool { return r.name == name })
		switch {
		case bit < 0:
			return 0, fault.New(fault.Element(field, i), "unknown right %q", name)
		case known[bit].abi > abi:
			return 0, fault.New(fault.Element(field, i), "%q needs abi %d", name, known[bit].abi)
		case handled>>bit&1 == 0:
			return 0, fault.New(fault.Element(field, i), "%q is not handled, and so always allowed", name)
		}
		bits |= 1 << bit
	}
	return bits, nil
}
