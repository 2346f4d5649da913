// SPDX-License-Identifier: Apache-2.0

package command

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/berth-run/berth/libcontainer/configs"
)

// The protocol of the completion scripts, which are cobra's:
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

// Directive tells a script what to do besides offering the candidates.
type Directive int

const (
	// FilesToo offers files when there is no candidate.
	FilesToo Directive = 0
	// NoCompletion offers nothing: there was an error.
	NoCompletion Directive = 1
	// NoFiles offers the candidates alone.
	NoFiles Directive = 4
)

// Candidate is what a word may become.
type Candidate struct {
	Word string
	// About says what it is, "" if there is nothing to say.
	About string
}

// Completer finds what the argument that comes after args may be, whatever there is of
// it already.
type Completer func(args []string) ([]Candidate, Directive)

// IsCompletionRequest says whether a command's name is that of the protocol.
func IsCompletionRequest(name string) bool {
	return name == RequestDescribed || name == RequestPlain
}

// Candidates completes word, which comes after the words before it in c's command line.
func (c *Command) Candidates(before []string, word string) ([]Candidate, Directive) {
	args, err := c.Parse(before)
	if err != nil {
		// The last word wants a value, which word is to be, or there is no sense in them.
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

// completeValue completes the value of an option. The scripts put the option before it, if
// it is part of the word.
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

// OptionValues are those that an option may have, nil when nobody can list them. One
// with a value means the same in all commands that have it.
func OptionValues(f *pflag.Flag) []string {
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

// Words makes candidates without a description.
func Words(list []string) []Candidate {
	all := make([]Candidate, len(list))
	for i, word := range list {
		all[i].Word = word
	}
	return all
}

// startingWith keeps what word may become.
func startingWith(word string, all []Candidate) []Candidate {
	return slices.DeleteFunc(all, func(c Candidate) bool { return !strings.HasPrefix(c.Word, word) })
}

// takesOption says whether an option may come after the words before, which have n
// positional arguments: where none may, "--" is one more of those.
func (c *Command) takesOption(before []string, n int) bool {
	args, err := c.Parse(append(before[:len(before):len(before)], "--"))
	return err == nil && len(args) == n
}

// completeOption finds the options of c. Those that are there already are left out, if
// one is enough.
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

// CompleteCommand finds the commands below c.
func (c *Command) CompleteCommand() []Candidate {
	var all []Candidate
	for _, child := range c.Children {
		if !child.Hidden {
			all = append(all, Candidate{child.Name(), child.Short})
		}
	}
	return all
}

// CompleteNothing is for arguments whose values nobody knows.
func CompleteNothing([]string) ([]Candidate, Directive) { return nil, NoFiles }
