// SPDX-License-Identifier: Apache-2.0

package command

import (
	"strings"

	"github.com/spf13/pflag"
)

// Normalise rewrites argv from the grammar that engines write for into pflag's.
//
// runc's command line library stands on Go's flag package: -name and --name are
// alike, and single letters are not bundled. To pflag -root would be -r -o -o
// -t, and -b=DIR would differ from --bundle=DIR. So each option that flags knows
// gets its long name here, and everything else of more than a letter two dashes, for
// pflag to refuse as a whole. Which words are options is decided as pflag will: the value of an
// option may begin with a dash, "--" ends the options and, with
// StopAtFirstArgument, so does the first positional argument.
func Normalise(flags *pflag.FlagSet, argv []string, stopAtFirstArgument bool) []string {
	out := make([]string, 0, len(argv))
	for len(argv) > 0 {
		word := argv[0]
		isOption := len(word) > 1 && word[0] == '-'
		if word == "--" || stopAtFirstArgument && !isOption {
			return append(out, argv...)
		}
		argv = argv[1:]
		if !isOption {
			out = append(out, word)
			continue
		}
		name, value, hasValue := strings.Cut(strings.TrimPrefix(word[1:], "-"), "=")
		f := flags.Lookup(name)
		if f == nil && len(name) == 1 {
			f = flags.ShorthandLookup(name)
		}
		dashes := "--"
		switch {
		case f != nil:
			name = f.Name
		case len(name) == 1 && name != "-": // "---" is no "--": pflag refuses it, as runc does
			dashes = "-" // as it was written, most likely: a signal, or another program's option
		}
		if hasValue {
			out = append(out, dashes+name+"="+value)
			continue
		}
		out = append(out, dashes+name)
		if f != nil && f.NoOptDefVal == "" && len(argv) > 0 {
			out = append(out, argv[0])
			argv = argv[1:]
		}
	}
	return out
}
