// SPDX-License-Identifier: Apache-2.0

package command

import (
	"strings"

	"github.com/spf13/pflag"
)

// Normalise rewrites argv from the syntax that engines use to that of pflag.
//
// runc's command line library is built on Go's flag package: -name and --name are the same, and
// single letters are not bundled. To pflag -root would be -r -o -o -t, and -b=DIR would differ
// from --bundle=DIR. So each option in flags is replaced by its long name. An unknown option of
// more than one letter gets two dashes, so that pflag rejects it as a whole. Which words are
// options is decided as pflag does it: the value of an option may begin with a dash, "--" ends
// the options and, with StopAtFirstArgument, so does the first positional argument.
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
		case len(name) == 1 && name != "-": // "---" is not "--": pflag rejects it, as runc does
			dashes = "-" // most likely what was written: a signal, or an option of another program
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
