// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strings"
)

//go:embed differences
var differencesFile string

// rule is a row of ./differences.
type rule struct {
	line int
	// peer is runc, crun, or both.
	peer string
	// parts are patterns, each of which must match a part of the case.
	parts []string
	// mode is the version of cgroups; "" for any.
	mode                    string
	key, berth, peers, text string
	explained               int
}

// byChance begins the reason of a row for a difference that a run may find or not.
const byChance = "by chance: "

// readRules reads the rows: PEER | PARTS | KEY | BERTH | PEER | WHY.
func readRules(c *config) ([]*rule, error) {
	text := differencesFile
	if c.rules != "" {
		data, err := os.ReadFile(c.rules)
		if err != nil {
			return nil, err
		}
		text = string(data)
	}
	var rules []*rule
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		columns := strings.Split(line, " | ")
		if len(columns) != 6 {
			return nil, fmt.Errorf("differences:%d: %d columns, want 6", number, len(columns))
		}
		for i := range columns {
			columns[i] = strings.TrimSpace(columns[i])
		}
		r := &rule{line: number, peer: columns[0], key: columns[2], berth: columns[3], peers: columns[4], text: columns[5]}
		r.peer, r.mode, _ = strings.Cut(r.peer, " ")
		if !slices.Contains([]string{"runc", "crun", "both"}, r.peer) || !slices.Contains([]string{"", "v1", "v2"}, r.mode) {
			return nil, fmt.Errorf("differences:%d: %q is neither runc, crun nor both", number, columns[0])
		}
		if columns[1] != "*" {
			r.parts = strings.Split(columns[1], " & ")
		}
		if r.mode == "" || r.mode == c.mode {
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// explains reports whether the row explains a difference.
func (r *rule) explains(d difference) bool {
	if r.peer != "both" && r.peer != d.peer {
		return false
	}
	for _, pattern := range r.parts {
		if !slices.ContainsFunc(d.tc.Parts, func(p string) bool { return matches(pattern, p) }) {
			return false
		}
	}
	return matches(r.key, d.key) && matches(r.berth, oneLine(d.berth)) && matches(r.peers, oneLine(d.peers))
}

// oneLine returns a value in the form of the rows.
func oneLine(v string) string {
	if v == "" {
		return "-"
	}
	return strings.ReplaceAll(strings.TrimSuffix(v, "\n"), "\n", `\n`)
}
