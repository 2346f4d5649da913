// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// compare checks that a group that somebody else has made has the schemata that the container
// asks for. Other values in it do not matter.
func (g *Group) compare() error {
	if len(g.plan.Schemata) == 0 {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(g.dir, "schemata"))
	if err != nil {
		return err
	}
	have, want := schemata{}, schemata{}
	if err := have.parse(string(text)); err != nil {
		return fmt.Errorf("%s: %w", g.dir, err)
	}
	for _, line := range g.plan.Schemata {
		if err := want.parse(line); err != nil {
			return err
		}
	}
	var other []string
	for k, v := range want {
		if h, ok := have[k]; !ok || plain(h) != plain(v) {
			other = append(other, fmt.Sprintf("%s:%s=%s", k.resource, k.domain, v))
		}
	}
	if len(other) == 0 {
		return nil
	}
	slices.Sort(other)
	return fmt.Errorf("the group %s exists and has other schemata than %s", g.dir, strings.Join(other, ", "))
}

// schemata are the values in a schemata file.
type schemata map[cache]string

// cache is one resource to be divided: "L3" with the id "0".
type cache struct{ resource, domain string }

// parse adds lines like "L3:0=ff;1=f0".
func (s schemata) parse(text string) error {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		resource, domains, ok := strings.Cut(line, ":")
		if !ok {
			return fmt.Errorf("not a line of schemata: %q", line)
		}
		for d := range strings.SplitSeq(domains, ";") {
			domain, value, ok := strings.Cut(d, "=")
			if !ok {
				return fmt.Errorf("not a line of schemata: %q", line)
			}
			s[cache{strings.TrimSpace(resource), strings.TrimSpace(domain)}] = strings.TrimSpace(value)
		}
	}
	return nil
}

// plain returns a number without what the kernel adds or drops: the file has "00f" for what was
// written as "F".
func plain(value string) string { return strings.TrimLeft(strings.ToLower(value), "0") }
