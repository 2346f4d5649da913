// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// row is a line of ./known or ./skips:
//
//	room | test | runtime,... | reason
//
// The first two are patterns of path.Match, by parts between slashes; * as the last part of a
// test is all below. A runtime is its name, its name and /v1, /v2 or /bare, or all. bare is cgroup v2
// without controllers.
type row struct {
	room, test string
	runtimes   []string
	reason     string
}

func readRows(file string) ([]row, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var rows []row
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, " | ")
		if len(fields) != 4 {
			return nil, fmt.Errorf("%s: %q has not four fields", file, line)
		}
		r := row{room: fields[0], test: fields[1], runtimes: strings.Split(fields[2], ","), reason: fields[3]}
		// What fails with berth alone is not known, but mended.
		if file == "known" && slices.ContainsFunc(r.runtimes, func(name string) bool { return strings.HasPrefix(name, "berth") }) {
			return nil, fmt.Errorf("%s: %q: what fails with berth must fail with all", file, line)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// match returns the row for a test of this run, or nil.
func match(rows []row, test string) *row {
	for i := range rows {
		r := &rows[i]
		if ok, _ := path.Match(r.room, suite.room); !ok || !matchTest(r.test, test) {
			continue
		}
		for _, name := range r.runtimes {
			name, mode, _ := strings.Cut(name, "/")
			if (name == suite.name || name == "all") && (mode == suite.mode || mode == "" || mode == "bare" && suite.bare) {
				return r
			}
		}
	}
	return nil
}

func matchTest(pattern, test string) bool {
	if above, found := strings.CutSuffix(pattern, "/*"); found {
		parts := strings.Split(test, "/")
		n := strings.Count(above, "/") + 1
		return len(parts) > n && matchTest(above, strings.Join(parts[:n], "/"))
	}
	ok, _ := path.Match(pattern, test)
	return ok
}

func TestMatch(t *testing.T) {
	if suite.room != "" {
		t.Skip("needs to be outside of a room")
	}
	suite.room, suite.mode, suite.name = "docker28", "v1", "crun"
	defer func() { suite.room, suite.mode, suite.name = "", "", "" }()
	for _, c := range []struct {
		row  row
		test string
		want bool
	}{
		{row{room: "docker28", test: "TestA/b", runtimes: []string{"runc", "crun"}}, "TestA/b", true},
		{row{room: "docker*", test: "TestA/b", runtimes: []string{"all"}}, "TestA/b", true},
		{row{room: "docker26", test: "TestA/b", runtimes: []string{"all"}}, "TestA/b", false},
		{row{room: "docker28", test: "TestA/b", runtimes: []string{"runc"}}, "TestA/b", false},
		{row{room: "docker28", test: "TestA/b", runtimes: []string{"crun/v2"}}, "TestA/b", false},
		{row{room: "docker28", test: "TestA/b", runtimes: []string{"all/v1"}}, "TestA/b", true},
		{row{room: "docker28", test: "TestA/*", runtimes: []string{"all"}}, "TestA/b/c", true},
		{row{room: "docker28", test: "TestA/b*", runtimes: []string{"all"}}, "TestA/bc", true},
		{row{room: "docker28", test: "TestA/*", runtimes: []string{"all"}}, "TestA", false},
	} {
		if got := match([]row{c.row}, c.test) != nil; got != c.want {
			t.Errorf("%+v matches %s: %v", c.row, c.test, got)
		}
	}
}
