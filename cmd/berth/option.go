// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"io"
)

// option is one row of a command's flag table. Parsing, help, man page and
// completion are all made from it.
type option struct {
	// long and short are the names without dashes; short may be "".
	long, short string
	// value is where the flag goes: *bool, *int or *string. What it points to
	// beforehand is the default.
	value any
	// arg names the value in the help text; "" for a switch.
	arg   string
	usage string
}

// register adds the option to fs, under both of its names.
func (o *option) register(fs *flag.FlagSet) {
	for _, name := range [...]string{o.long, o.short} {
		if name == "" {
			continue
		}
		switch v := o.value.(type) {
		case *bool:
			fs.BoolVar(v, name, *v, "")
		case *int:
			fs.IntVar(v, name, *v, "")
		case *string:
			fs.StringVar(v, name, *v, "")
		default:
			panic(fmt.Sprintf("option %s: no flag type for %T", o.long, o.value))
		}
	}
}

// defaultText is the default for the help text, "" when it goes without saying.
func (o *option) defaultText() string {
	switch v := o.value.(type) {
	case *int:
		return fmt.Sprint(*v)
	case *string:
		return *v
	}
	return ""
}

// parseOptions parses argv by a flag table and returns the positional
// arguments.
//
// The standard library's flag package is the parser that runc's command line
// library stands on, so its grammar is the one engines write for: -name and
// --name alike, =value or the next argument, no bundled short options, "--"
// ends the options. It is also a third of the start-up cost of cobra, which is
// why the usual library is not here.
//
// With interspersed, options of the table are also recognised after positional
// arguments, as runc does it for all commands but those that carry a foreign
// command line.
func parseOptions(options []option, argv []string, interspersed bool) ([]string, error) {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	for i := range options {
		options[i].register(fs)
	}
	if !interspersed {
		err := fs.Parse(argv)
		return fs.Args(), err
	}
	var positional []string
	for {
		if err := fs.Parse(argv); err != nil {
			return nil, err
		}
		rest := fs.Args()
		parsed := argv[:len(argv)-len(rest)]
		if len(rest) == 0 {
			return positional, nil
		}
		if endsOptions(fs, parsed) {
			return append(positional, rest...), nil
		}
		positional = append(positional, rest[0])
		argv = rest[1:]
	}
}

// endsOptions says whether the last of parsed is the "--" that ends options. It
// is not when an option before it has taken it for its value.
func endsOptions(fs *flag.FlagSet, parsed []string) bool {
	last := len(parsed) - 1
	return last >= 0 && parsed[last] == "--" && fs.Parse(parsed[:last]) == nil
}
