// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"
)

// testFlags is a small flag table of every kind of option.
type testFlags struct {
	bundle, root string
	n            int
	force        bool
}

func (f *testFlags) table() []option {
	f.bundle = "."
	return []option{
		{long: "bundle", short: "b", value: &f.bundle, arg: "DIR"},
		{long: "root", value: &f.root, arg: "DIR"},
		{long: "preserve-fds", value: &f.n, arg: "N"},
		{long: "force", short: "f", value: &f.force},
	}
}

func TestParseOptions(t *testing.T) {
	tests := []struct {
		name         string
		argv         string
		interspersed bool
		want         testFlags
		args         []string
		err          string
	}{
		{name: "nothing", want: testFlags{bundle: "."}},
		{name: "two dashes", argv: "--bundle /x id", want: testFlags{bundle: "/x"}, args: []string{"id"}},
		{name: "one dash", argv: "-bundle /x id", want: testFlags{bundle: "/x"}, args: []string{"id"}},
		{name: "equals", argv: "--bundle=/x -root=/y id", want: testFlags{bundle: "/x", root: "/y"}, args: []string{"id"}},
		{name: "short", argv: "-b /x -f id", want: testFlags{bundle: "/x", force: true}, args: []string{"id"}},
		{name: "switch with value", argv: "--force=false id", want: testFlags{bundle: "."}, args: []string{"id"}},
		{name: "a switch takes no next argument", argv: "--force true", want: testFlags{bundle: ".", force: true}, args: []string{"true"}},
		{name: "last wins", argv: "-b /x --bundle /y", want: testFlags{bundle: "/y"}},
		{name: "negative number", argv: "--preserve-fds -1", want: testFlags{bundle: ".", n: -1}},
		{name: "value that looks like an option", argv: "--root --force", want: testFlags{bundle: ".", root: "--force"}},
		{name: "double dash ends", argv: "-f -- -b", want: testFlags{bundle: ".", force: true}, args: []string{"-b"}},
		{name: "dash is an argument", argv: "--root /y -", want: testFlags{bundle: ".", root: "/y"}, args: []string{"-"}},
		{name: "stop at the first argument", argv: "id -f", want: testFlags{bundle: "."}, args: []string{"id", "-f"}},
		{name: "interspersed", argv: "id -f x --root=/y", interspersed: true, want: testFlags{bundle: ".", force: true, root: "/y"}, args: []string{"id", "x"}},
		{name: "interspersed with double dash", argv: "id -f -- -b", interspersed: true, want: testFlags{bundle: ".", force: true}, args: []string{"id", "-b"}},
		{name: "value that is a double dash", argv: "--root -- id -f", interspersed: true, want: testFlags{bundle: ".", root: "--", force: true}, args: []string{"id"}},
		{name: "unknown", argv: "--bogus", err: "flag provided but not defined: -bogus"},
		{name: "unknown after the arguments", argv: "id -9", interspersed: true, err: "flag provided but not defined: -9"},
		{name: "no bundles of shorts", argv: "-fb", err: "flag provided but not defined: -fb"},
		{name: "no value", argv: "--bundle", err: "flag needs an argument: -bundle"},
		{name: "bad number", argv: "--preserve-fds x", err: `invalid value "x" for flag -preserve-fds: parse error`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got testFlags
			args, err := parseOptions(got.table(), strings.Fields(test.argv), test.interspersed)
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Fatalf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("flags %+v, want %+v", got, test.want)
			}
			if !slices.Equal(args, test.args) {
				t.Errorf("arguments %q, want %q", args, test.args)
			}
		})
	}
}

func FuzzParseOptions(f *testing.F) {
	f.Add("-b\x00x\x00id\x00--force", true)
	f.Add("--\x00-", false)
	f.Add("--root\x00--\x00-f", true)
	f.Fuzz(func(t *testing.T, argv string, interspersed bool) {
		in := strings.Split(argv, "\x00")
		var flags testFlags
		args, err := parseOptions(flags.table(), in, interspersed)
		if err != nil {
			return
		}
		// What is positional came from the command line, in its order.
		rest := in
		for _, a := range args {
			i := slices.Index(rest, a)
			if i < 0 {
				t.Fatalf("argument %q is not in %q", a, in)
			}
			rest = rest[i+1:]
		}
	})
}

// TestFlagTables registers every option there is: a name that stands twice in a
// table, or a value of a wrong type, panics.
func TestFlagTables(t *testing.T) {
	var g globalOptions
	if _, err := parseOptions(g.table(), nil, false); err != nil {
		t.Error(err)
	}
	for _, n := range commands() {
		c := n.make()
		if c.name != n.name {
			t.Errorf("command %q is listed as %q", c.name, n.name)
		}
		if _, err := parseOptions(append(c.options, helpOption(new(bool))), nil, true); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, o := range c.options {
			if _, isSwitch := o.value.(*bool); isSwitch != (o.arg == "") {
				t.Errorf("%s --%s: a switch has no name for its value, all others have", c.name, o.long)
			}
		}
	}
}
