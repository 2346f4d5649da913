// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// gap is one line of known-gaps: a test that a runtime is known to fail.
type gap struct {
	test     string
	runtimes []string
	// mode is "v1", "v2", "always", or "racy": the test may pass, so this is not checked.
	mode, reason string
}

// readGaps reads the table of four columns separated by "|".
func readGaps(path string) ([]gap, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var gaps []gap
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		cols := strings.SplitN(line, "|", 4)
		if len(cols) != 4 {
			return nil, fmt.Errorf("%s:%d: %d columns, want 4", path, n, len(cols))
		}
		for i := range cols {
			cols[i] = strings.TrimSpace(cols[i])
		}
		g := gap{cols[0], strings.Split(cols[1], ","), cols[2], cols[3]}
		if !slices.Contains([]string{"always", "racy", "v1", "v2"}, g.mode) || g.reason == "" {
			return nil, fmt.Errorf("%s:%d: bad mode or no reason", path, n)
		}
		gaps = append(gaps, g)
	}
	return gaps, sc.Err()
}

// findGap returns why the runtime is known to fail this test, or why the test cannot pass in this
// mode. Otherwise it returns "".
func findGap(test string) string {
	if reason := suite.users.exceptionFor(test); reason != "" {
		return reason
	}
	for _, g := range suite.gaps {
		if !covers(g.test, test) || !slices.Contains(g.runtimes, suite.name) {
			continue
		}
		switch g.mode {
		case "racy":
			if !suite.checkGaps {
				return g.reason
			}
		case "always", map[bool]string{true: "v2", false: "v1"}[suite.unified]:
			return g.reason
		}
	}
	return ""
}

// begin must be called first by every test that runs the runtime. It skips known gaps (or all
// other tests if the gaps are to be checked), and checks for leaks at the end.
func begin(t *testing.T) {
	t.Helper()
	reason := findGap(t.Name())
	switch {
	case suite.checkGaps && reason == "":
		t.SkipNow()
	case suite.checkGaps:
		t.Cleanup(func() {
			if !t.Failed() && !t.Skipped() {
				suite.closed = append(suite.closed, t.Name())
			}
		})
	case reason != "":
		t.Skipf("known gap of %s, users: %s: %s", suite.name, suite.users.name, reason)
	}
	if os.Geteuid() != 0 {
		t.Fatal("needs root")
	}
	watchLeaks(t)
}

// require states what a test needs from the machine. CI provides all of it, so there a lack is a
// failure.
func require(t *testing.T, have bool, what string) {
	t.Helper()
	if have {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("requires %s, and CI must have it", what)
	}
	t.Skipf("requires %s", what)
}

// only skips a test that applies to another mode than the mode of this run.
func only(t *testing.T, applies bool, mode string) {
	t.Helper()
	if !applies {
		t.Skipf("only for %s", mode)
	}
}
