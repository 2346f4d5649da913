// SPDX-License-Identifier: Apache-2.0

package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// testFlags has options of every kind.
type testFlags struct {
	bundle, root string
	n            int
	force        bool
}

func (f *testFlags) set() *pflag.FlagSet {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.StringVarP(&f.bundle, "bundle", "b", ".", "")
	fs.StringVar(&f.root, "root", "", "")
	fs.IntVar(&f.n, "preserve-fds", 0, "")
	fs.BoolVarP(&f.force, "force", "f", false, "")
	return fs
}

// Parse parses argv as a command does.
func (f *testFlags) parse(argv []string, interspersed bool) ([]string, error) {
	fs := f.set()
	fs.SetInterspersed(interspersed)
	err := fs.Parse(Normalise(fs, argv, !interspersed))
	return fs.Args(), err
}

func TestNormalise(t *testing.T) {
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
		{name: "short with equals", argv: "-b=/x --b=/y -f=false id", want: testFlags{bundle: "/y"}, args: []string{"id"}},
		{name: "empty value", argv: "-b= id", want: testFlags{}, args: []string{"id"}},
		{name: "short value that looks like an option", argv: "-b -root id", want: testFlags{bundle: "-root"}, args: []string{"id"}},
		{name: "long name of one letter less", argv: "-bundl /x", err: "unknown flag: --bundl"},
		{name: "value glued to a short", argv: "-b/x", err: "unknown flag: --b/x"},
		{name: "unknown letter", argv: "-9 id", err: "unknown shorthand flag: '9' in -9"},
		{name: "unknown letter with value", argv: "-x=-1 id", err: "unknown shorthand flag: 'x' in -x=-1"},
		{name: "three dashes", argv: "---force", err: "bad flag syntax: ---force"},
		{name: "no name", argv: "-=x", err: "bad flag syntax: --=x"},
		{name: "flag of a test binary", argv: "-test.v", err: "unknown flag: --test.v"},
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
		{name: "three dashes end nothing", argv: "--- -b", err: "bad flag syntax: ---"},
		{name: "three dashes and a name", argv: "---root=/x", err: "bad flag syntax: ---root=/x"},
		{name: "no name", argv: "--=x", err: "bad flag syntax: --=x"},
		{name: "unknown", argv: "--bogus", err: "unknown flag: --bogus"},
		{name: "unknown after the arguments", argv: "id -9", interspersed: true, err: "unknown shorthand flag: '9' in -9"},
		{name: "no bundles of shorts", argv: "-fb", err: "unknown flag: --fb"},
		{name: "no value", argv: "--bundle", err: "flag needs an argument: --bundle"},
		{name: "bad number", argv: "--preserve-fds x", err: `invalid argument "x" for "--preserve-fds" flag: must be an integer`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got testFlags
			args, err := got.parse(strings.Fields(test.argv), test.interspersed)
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

func FuzzNormalise(f *testing.F) {
	f.Add("-b\x00x\x00id\x00--force", true)
	f.Add("--\x00-", false)
	f.Add("--root\x00--\x00-f", true)
	f.Fuzz(func(t *testing.T, argv string, interspersed bool) {
		in := strings.Split(argv, "\x00")
		var flags testFlags
		args, err := flags.parse(in, interspersed)
		if err != nil {
			return
		}
		// Positional arguments come from the command line, in the same order.
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
