// SPDX-License-Identifier: Apache-2.0

package options

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
)

// parsed returns the options of a command line.
func parsed(t *testing.T, argv ...string) (*Process, *pflag.FlagSet) {
	t.Helper()
	var o Process
	f := pflag.NewFlagSet("exec", pflag.ContinueOnError)
	f.SetInterspersed(false)
	o.Declare(f)
	if err := f.Parse(command.Normalise(f, argv, true)); err != nil {
		t.Fatal(err)
	}
	return &o, f
}

func TestProcess(t *testing.T) {
	before := func() *specs.Process {
		return &specs.Process{
			Terminal: true, Cwd: "/", Env: []string{"A=1"}, NoNewPrivileges: true,
			User:         specs.User{UID: 1, GID: 2, AdditionalGids: []uint32{3}},
			SelinuxLabel: "label", ApparmorProfile: "profile",
		}
	}
	p := before()
	o, f := parsed(t, "ID", "-u", "7")
	if err := o.Apply(p, f.Changed); err != nil || !reflect.DeepEqual(p, before()) {
		t.Errorf("no options changed it to %+v, %v", p, err)
	}
	o, f = parsed(t, "-u", "", "--cwd", "", "ID")
	if err := o.Apply(p, f.Changed); err != nil || p.User.UID != 1 || p.Cwd != "/" {
		t.Errorf("empty options changed it to %+v, %v", p, err)
	}
	o, f = parsed(t, "-u", "7", "ID")
	if err := o.Apply(p, f.Changed); err != nil || p.User.UID != 7 || p.User.GID != 2 {
		t.Errorf("a user without a group changed it to %+v, %v", p.User, err)
	}
	o, f = parsed(t, "-t=false", "--no-new-privs=false", "-cwd", "/c", "-u", "8:9", "-g", "4", "--additional-gids", "5,6",
		"-e", "B=2", "--env=C=3,4", "-c", "CAP_KILL", "--process-label", "l", "-apparmor=a", "ID", "--cwd", "/no")
	p = before()
	if err := o.Apply(p, f.Changed); err != nil {
		t.Fatal(err)
	}
	switch {
	case p.Terminal, p.NoNewPrivileges, p.Cwd != "/c", p.SelinuxLabel != "l", p.ApparmorProfile != "a",
		p.User.UID != 8, p.User.GID != 9, !slices.Equal(p.User.AdditionalGids, []uint32{3, 4, 5, 6}),
		!slices.Equal(p.Env, []string{"A=1", "B=2", "C=3,4"}), !slices.Equal(p.Capabilities.Permitted, []string{"CAP_KILL"}):
		t.Errorf("changed to %+v", p)
	}
	if want := []string{"ID", "--cwd", "/no"}; !slices.Equal(f.Args(), want) {
		t.Errorf("arguments %q, want %q", f.Args(), want)
	}
	for _, argv := range [][]string{
		{"-u", "x"}, {"-g", "4294967295"}, {"-c", "NOPE"}, {"-e", "A"}, {"-e", "=x"}, {"-e", ""}, {"--cwd", "c"},
	} {
		o, f := parsed(t, argv...)
		if err := o.Apply(before(), f.Changed); err == nil || !strings.HasPrefix(err.Error(), "--") {
			t.Errorf("%q: error %v", argv, err)
		}
	}
}
