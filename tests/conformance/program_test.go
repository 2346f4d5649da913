// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestAssess(t *testing.T) {
	exit := errors.New("exit status 1")
	cases := []struct {
		name, program, stdout, stderr string
		runErr, ctxErr                error
		want                          []string
	}{
		{name: "all is well", stdout: "ok 1\nok 2\n1..2\n"},
		{name: "tests fail", stdout: "ok 1\nnot ok 2\nnot ok 3 # SKIP\n1..3\n", want: []string{"2"}},
		{name: "one test too few", stdout: "ok 1\n1..2\n", want: []string{failPlan}},
		{name: "no plan", stdout: "ok 1\n", want: []string{failPlan}},
		{name: "status", stdout: "ok 1\n1..1\n", runErr: exit, want: []string{failExit}},
		{name: "too slow", stdout: "ok 1\n", runErr: exit, ctxErr: context.DeadlineExceeded, want: []string{failTimeout}},
		{name: "silence", stdout: "TAP version 13\n1..0\n"},
		{name: "an error and no test", stdout: "  ---\n  \"error\": \"x\"\n  ...\n1..0\n", want: []string{failError}},
		{name: "stderr and no test", stdout: "1..0\n", stderr: "WARNING: hook\n", want: []string{failError}},
		{name: "stderr and tests", stdout: "ok 1\n1..1\n", stderr: "failed to create the container\n"},
		{name: "refused as it should", program: "prestart_fail", stdout: "1..0\n", stderr: "failed to create the container\nhook\n"},
		{name: "not refused", program: "prestart_fail", stdout: "1..0\n", want: []string{failError}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out, err := assess(c.program, strings.NewReader(c.stdout), c.stderr, c.runErr, c.ctxErr)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(out.Failures)); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
