// SPDX-License-Identifier: Apache-2.0

package command

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/berth-run/berth/libcontainer/configs"
)

// The protocol of the completion scripts, which cobra generated:
//
//	script                               berth
//	──────                               ─────
//	__complete WORD...     ───────────▶  completes the last word, which may be ""
//	                       ◀───────────  a line for each candidate: the word, and with
//	                                       __complete a tab and what it is
//	                       ◀───────────  :DIRECTIVE
const (
	RequestDescribed = "__complete"
	RequestPlain     = "__completeNoDesc"
)

// Directive says what a script does besides offering the candidates.
type Directive int

const (
	// FilesToo offers files if there is no candidate.
	FilesToo Directive = 0
	// NoCompletion offers nothing: there was an error.
	NoCompletion Directive = 1
	// NoFiles offers only the candidates.
	NoFiles Directive = 4
)

// Candidate is a possible completion of a word.
type Candidate struct {
	Word string
	// About describes it; it may be "".
	About string
}

// Completer returns the possible values of the argument that comes after args. It does not
// filter them by what has been typed already.
type Completer func(args []string) ([]Candidate, Directive)

// IsCompletionRequest reports whether a command's name belongs to the protocol.
func IsCompletionRequest(name string) bool {
	return name == RequestDescribed || name == RequestPlain
}

// Candidates completes word, which comes after the words before it in c's command line.
func (c *Command) Candidates(before []string, word string) ([]Candidate, Directive) {
	args, err := c.Parse(before)
	if err != nil {
		// Either the last word is an option and word is its value, or before is invalid.
		return c.completeValue(before[len(before)-1], word)
	}
	if len(args) > 0 && c.StopAtFirstArgument {
		if child := c.Child(args[0]); child != nil {
			return child.Candidates(args[1:], word)
		}
	}
	if strings.HasPrefix(word, "-") && c.takesOption(before, len(args)) {
		if option, value, ok := strings.Cut(word, "="); ok {
			return c.completeValue(option, value)
		}
		return startingWith(word, c.completeOption()), NoFiles
	}
	switch {
	case len(args) == 0 && len(c.Children) > 0:
		return startingWith(word, c.CompleteCommand()), NoFiles
	case c.Complete != nil:
		all, directive := c.Complete(args)
		return startingWith(word, all), directive
	}
	return nil, FilesToo
}

// completeValue completes the value of an option. If the word is OPTION=VALUE, the scripts put
// the option before each candidate themselves.
func (c *Command) completeValue(option, value string) ([]Candidate, Directive) {
	name, isOption := strings.CutPrefix(option, "-")
	name = strings.TrimPrefix(name, "-")
	f := c.Flags().Lookup(name)
	if f == nil && len(name) == 1 {
		f = c.Flags().ShorthandLookup(name)
	}
	if f == nil || !isOption {
		return nil, FilesToo
	}
	values := OptionValues(f)
	if values == nil {
		return nil, FilesToo
	}
	return startingWith(value, Words(values)), NoFiles
}

// valuesKey is the annotation of an option with its possible values.
const valuesKey = "values"

// SetValues sets the possible values of an option, which differ from those of other commands'
// options of this name.
func SetValues(f *pflag.FlagSet, name string, values ...string) {
	_ = f.SetAnnotation(name, valuesKey, values) // fails only for an option that was not declared
}

// OptionValues returns the possible values of an option, nil if they cannot be listed. An
// option with values has the same meaning in all commands that have it, unless SetValues says
// otherwise.
func OptionValues(f *pflag.Flag) []string {
	if values := f.Annotations[valuesKey]; values != nil {
		return values
	}
	if f.Value.Type() == "bool" {
		return []string{"true", "false"}
	}
	switch f.Name {
	case "cap":
		return configs.CapabilityNames[:]
	case "cap-add":
		return append([]string{"ALL"}, configs.CapabilityNames[:]...)
	case "empty-ns":
		return []string{"network"}
	case "format":
		return []string{"table", "json"}
	case "log-format":
		return []string{"text", "json"}
	case "log-level":
		return []string{"error", "warning", "info", "debug"}
	case "manage-cgroups-mode":
		return []string{"soft", "full", "strict", "ignore"}
	case "network-lock":
		return []string{"iptables", "nftables", "skip"}
	case "rootless":
		return []string{"true", "false", "auto"}
	}
	return nil
}

// Words returns candidates without descriptions.
func Words(list []string) []Candidate {
	all := make([]Candidate, len(list))
	for i, word := range list {
		all[i].Word = word
	}
	return all
}

// startingWith keeps the candidates that begin with word.
func startingWith(word string, all []Candidate) []Candidate {
	return slices.DeleteFunc(all, func(c Candidate) bool { return !strings.HasPrefix(c.Word, word) })
}

// takesOption reports whether an option may follow the words before, which contain n positional
// arguments. Where options have ended, "--" is one more positional argument.
func (c *Command) takesOption(before []string, n int) bool {
	args, err := c.Parse(append(before[:len(before):len(before)], "--"))
	return err == nil && len(args) == n
}

// completeOption returns the options of c, except those that are present already and cannot be
// repeated.
func (c *Command) completeOption() []Candidate {
	var all []Candidate
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if _, repeated := f.Value.(pflag.SliceValue); f.Changed && !repeated {
			return
		}
		_, about := pflag.UnquoteUsage(f)
		all = append(all, Candidate{"--" + f.Name, about})
		if f.Shorthand != "" {
			all = append(all, Candidate{"-" + f.Shorthand, about})
		}
	})
	return all
}

// CompleteCommand returns the subcommands of c.
func (c *Command) CompleteCommand() []Candidate {
	var all []Candidate
	for _, child := range c.Children {
		if !child.Hidden {
			all = append(all, Candidate{child.Name(), child.Short})
		}
	}
	return all
}

// CompleteNothing is for arguments whose values cannot be known.
func CompleteNothing([]string) ([]Candidate, Directive) { return nil, NoFiles }
