// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// x32 is the bit in the numbers of x32 system calls.
const x32 = 0x40000000

type difference struct {
	first, last  int
	want, reason string
}

// otherAnswers are ranges of system calls that are known to have another result under runc, with
// the result that the runtime under test must have, and the reason. A call in a range that has
// runc's result fails the test.
var otherAnswers = []difference{
	{x32 + 457, x32 + 511, "errno 38", "newer than the profile, which ends with 456; runc counts 547, an old one that only x32 has"},
}

// otherAnswer returns the entry for a call of the probe; nil if there is none.
func otherAnswer(call string) *difference {
	n, err := strconv.Atoi(call)
	if err != nil {
		return nil
	}
	for i := range otherAnswers {
		if o := &otherAnswers[i]; n >= o.first && n <= o.last {
			return o
		}
	}
	return nil
}

// TestSeccompSameAsRunc makes every system call of x86-64 under an engine's default profile, and
// compares the results with those under runc.
func TestSeccompSameAsRunc(t *testing.T) {
	only(t, suite.name != "runc", "runtimes other than runc")
	only(t, suite.users.name == "root", "root, because runc is run as root")
	require(t, runtime.GOARCH == "amd64", "x86-64")
	runc, err := exec.LookPath("runc")
	require(t, err == nil, "runc")
	for name, nnp := range map[string]bool{"no_new_privs": true, "capabilities": false} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			buildProbe(c)
			c.spec.Linux.Seccomp = readSeccomp(t, "../../seccomp/testdata/default.json")
			// runc with libseccomp 2.5 does not know this call, and so takes the profile for an
			// older one.
			withoutCall(c.spec.Linux.Seccomp, "mseal")
			// libseccomp 2.5 does not apply the rule for this call to x32, as newer versions and
			// the kernel do.
			withoutCall(c.spec.Linux.Seccomp, "map_shadow_stack")
			c.spec.Process.NoNewPrivileges = nnp
			c.args("/probe")
			ours := parseProbe(t, c.output())
			theirs := parseProbe(t, underOther(c, runc))
			compareProbes(t, ours, theirs)
		})
	}
}

func withoutCall(p *specs.LinuxSeccomp, name string) {
	for i := range p.Syscalls {
		p.Syscalls[i].Names = slices.DeleteFunc(p.Syscalls[i].Names, func(n string) bool { return n == name })
	}
}

func readSeccomp(t *testing.T, path string) *specs.LinuxSeccomp {
	t.Helper()
	p := new(specs.LinuxSeccomp)
	if err := json.Unmarshal([]byte(readFile(t, path)), p); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return p
}

// buildProbe compiles testdata/probe.c into the container.
func buildProbe(c *container) {
	c.t.Helper()
	for _, cc := range []string{"musl-gcc", "gcc", "cc"} {
		path, err := exec.LookPath(cc)
		if err != nil {
			continue
		}
		out, err := exec.Command(path, "-static", "-Wall", "-Wextra", "-O1", "-o", c.rootfs("probe"), "testdata/probe.c").CombinedOutput()
		if err != nil {
			c.t.Fatalf("%s: %v: %s", cc, err, out)
		}
		return
	}
	require(c.t, false, "a C compiler")
}

// underOther runs the bundle with another runtime, in the foreground.
func underOther(c *container, runtime string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), suite.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, runtime, "--root", c.path("other-state"), "run", "--bundle", c.dir, c.id+"-other")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("%s: %v", runtime, err)
	}
	return string(out)
}

// parseProbe reads the lines of the probe: a system call and its result.
func parseProbe(t *testing.T, out string) map[string]string {
	t.Helper()
	answers := map[string]string{}
	for line := range strings.Lines(out) {
		call, answer, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || answer == "" || answers[call] != "" {
			t.Fatalf("the probe printed %q", line)
		}
		answers[call] = answer
	}
	if len(answers) < 1200 {
		t.Fatalf("the probe printed %d answers only", len(answers))
	}
	return answers
}

func compareProbes(t *testing.T, ours, theirs map[string]string) {
	t.Helper()
	if len(ours) != len(theirs) {
		t.Errorf("%d answers, runc has %d", len(ours), len(theirs))
	}
	kinds := map[string]int{}
	for call, got := range ours {
		kinds[got]++
		known := otherAnswer(call)
		switch {
		case known != nil && (got != known.want || got == theirs[call]):
			t.Errorf("%s: %s, under runc %s, want %s and another: %s", call, got, theirs[call], known.want, known.reason)
		case known == nil && got != theirs[call]:
			t.Errorf("%s: %s, under runc %s", call, got, theirs[call])
		}
	}
	// All three results must occur, or else the profile was not in effect.
	for _, kind := range []string{"ok", "errno 1", "errno 38"} {
		if kinds[kind] < 10 {
			t.Errorf("%d calls ended with %q: %v", kinds[kind], kind, kinds)
		}
	}
	t.Logf("answers: %v", kinds)
}
