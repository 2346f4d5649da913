// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/berth-run/berth/tests/internal/bundle"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// testCase is a config or a command line that every runtime gets.
type testCase struct {
	Number int
	// Parts describe the case; patterns in ./differences match them.
	Parts  []string
	Config string
	Mapped bool // has a user namespace, whose root owns the root file system
	// Setup and Command are for a command line.
	Setup   string
	Command []string
}

func (c *testCase) String() string {
	return fmt.Sprintf("%d %s", c.Number, strings.Join(c.Parts, " & "))
}

// makeCases makes all cases for this version of cgroups. Those of config.json come first, and
// combinations of values last, so that a new value does not change the numbers of the others.
func makeCases(c *config) ([]*testCase, error) {
	fields, err := readFields()
	if err != nil {
		return nil, err
	}
	// Fields that do not depend on the version are only tried alone with v2, and in combinations
	// with both.
	together := slices.DeleteFunc(slices.Clone(fields), func(f *field) bool { return f.v1 && c.mode != "v1" })
	fields = slices.DeleteFunc(fields, func(f *field) bool { return f.v1 != (c.mode == "v1") })
	var all []*testCase
	add := func(tc *testCase) {
		tc.Number = len(all)
		all = append(all, tc)
	}
	for _, f := range fields {
		for _, v := range slices.Concat(f.good, f.bad) {
			for _, mapped := range []bool{false, true} {
				if mapped && f.nouser {
					continue
				}
				tc, err := configCase([]*field{f}, []value{v}, mapped)
				if err != nil {
					return nil, err
				}
				add(tc)
			}
		}
	}
	commands, err := commandCases(c)
	if err != nil {
		return nil, err
	}
	waits, err := configCase([]*field{{path: "process.args"}}, []value{{text: `["/probe", "wait"]`}}, false)
	if err != nil {
		return nil, err
	}
	ends, err := configCase(nil, nil, false)
	if err != nil {
		return nil, err
	}
	for _, tc := range commands {
		tc.Config = waits.Config
		if tc.Setup == "none" {
			tc.Config = ends.Config
		}
		add(tc)
	}
	count := c.combinations
	if c.mode == "v1" {
		count /= 3
	}
	for i := range count {
		tc, err := combination(together, rand.New(rand.NewPCG(c.seed, uint64(i))))
		if err != nil {
			return nil, err
		}
		add(tc)
	}
	return all, nil
}

// combination returns a case with two to five values of different fields, at most one of which is
// a mistake.
func combination(fields []*field, random *rand.Rand) (*testCase, error) {
	mapped := random.IntN(3) == 0
	want, mistake := 2+random.IntN(4), random.IntN(5) < 2
	var chosen []*field
	var values []value
	var taken []string
	for tries := 0; len(chosen) < want && tries < 1000; tries++ {
		f := fields[random.IntN(len(fields))]
		from := f.good
		if mistake {
			from = f.bad
		}
		if f.alone || mapped && f.nouser || len(from) == 0 {
			continue
		}
		v := from[random.IntN(len(from))]
		paths, err := f.paths(v)
		if err != nil {
			return nil, err
		}
		if clash(taken, paths) {
			continue
		}
		mistake = false
		chosen, values, taken = append(chosen, f), append(values, v), append(taken, paths...)
	}
	return configCase(chosen, values, mapped)
}

// clash reports whether a path equals one of the others, or contains one, or is contained in one.
func clash(taken, paths []string) bool {
	return slices.ContainsFunc(paths, func(p string) bool {
		return slices.ContainsFunc(taken, func(t string) bool {
			return p == t || strings.HasPrefix(p, t+".") || strings.HasPrefix(t, p+".")
		})
	})
}

// configCase returns the ordinary container with these values.
func configCase(fields []*field, values []value, mapped bool) (*testCase, error) {
	config, err := ordinary(mapped)
	if err != nil {
		return nil, err
	}
	tc := &testCase{Mapped: mapped}
	if mapped {
		tc.Parts = append(tc.Parts, "userns")
	}
	var replace []string
	for i, f := range fields {
		tc.Parts = append(tc.Parts, values[i].name)
		if values[i].bad {
			tc.Parts = append(tc.Parts, "mistake")
		}
		if f.path == "text" {
			if err := json.Unmarshal([]byte(values[i].text), &replace); err != nil {
				return nil, err
			}
			continue
		}
		if err := f.apply(config, values[i]); err != nil {
			return nil, err
		}
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	if err := e.Encode(config); err != nil {
		return nil, err
	}
	tc.Config = text.String()
	if len(replace) == 2 {
		if !strings.Contains(tc.Config, replace[0]) {
			return nil, fmt.Errorf("%s: the config has no %q", tc, replace[0])
		}
		tc.Config = strings.Replace(tc.Config, replace[0], replace[1], 1)
	}
	return tc, nil
}

// ordinary returns the config that a case changes.
func ordinary(mapped bool) (map[string]any, error) {
	s := bundle.Spec()
	s.Process.Args = []string{"/probe", "one"}
	s.Process.Env = []string{"PATH=/bin:/sbin", "HOME=/root"}
	// These are rules as engines write them. Without any, crun allows all devices.
	s.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}}
	s.Linux.CgroupsPath = "/@cg"
	if mapped {
		maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
		s.Linux.UIDMappings, s.Linux.GIDMappings = maps, maps
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	parsed, err := decode(string(data))
	return parsed.(map[string]any), err
}

// choose returns the cases that the command line asks for.
func choose(c *config, all []*testCase) []*testCase {
	chosen := slices.DeleteFunc(slices.Clone(all), func(tc *testCase) bool {
		if c.only >= 0 && tc.Number != c.only || tc.Number < c.from {
			return true
		}
		return c.parts != "" && !slices.ContainsFunc(tc.Parts, func(p string) bool { return matches(c.parts, p) })
	})
	if c.n > 0 && c.n < len(chosen) {
		rand.New(rand.NewPCG(c.seed, 0)).Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:c.n]
		slices.SortFunc(chosen, func(a, b *testCase) int { return a.Number - b.Number })
	}
	return chosen
}

// matches reports whether text matches a pattern, in which * matches anything.
func matches(pattern, text string) bool {
	before, after, more := strings.Cut(pattern, "*")
	if !more {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, before)
	if !ok {
		return false
	}
	for i := range len(rest) + 1 {
		if matches(after, rest[i:]) {
			return true
		}
	}
	return false
}
