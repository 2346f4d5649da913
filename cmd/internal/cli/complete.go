// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"slices"
	"strconv"
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
	requestDescribed = "__complete"
	requestPlain     = "__completeNoDesc"
)

// directive tells a script what to do besides offering the candidates.
type directive int

const (
	// filesToo offers files when there is no candidate.
	filesToo directive = 0
	// noCompletion offers nothing: there was an error.
	noCompletion directive = 1
	// noFiles offers the candidates alone.
	noFiles directive = 4
)

// candidate is what a word may become.
type candidate struct {
	word string
	// about says what it is, "" if there is nothing to say.
	about string
}

// completer finds what the argument that comes after args may be, whatever there is of
// it already.
type completer func(args []string) ([]candidate, directive)

// isCompletionRequest says whether a command's name is that of the protocol.
func isCompletionRequest(name string) bool {
	return name == requestDescribed || name == requestPlain
}

// completeRequest answers a request of a completion script.
func (a *app) completeRequest(root *Command, request []string) error {
	words := request[1:]
	if len(words) == 0 {
		return fmt.Errorf("%s: %q requires a minimum of 1 argument(s)", a.name, request[0])
	}
	a.addAllCommands(root)
	last := len(words) - 1
	candidates, directive := root.candidates(words[:last], words[last])
	a.writeCandidates(candidates, request[0] == requestDescribed && a.wantsDescriptions())
	fmt.Fprintf(&a.text, ":%d\n", directive)
	return nil
}

// writeCandidates writes a line for each candidate.
func (a *app) writeCandidates(candidates []candidate, described bool) {
	for _, c := range candidates {
		a.text.WriteString(c.word)
		if described && c.about != "" {
			// A second line would be another candidate.
			about, _, _ := strings.Cut(c.about, "\n")
			a.text.WriteString("\t" + about)
		}
		a.text.WriteByte('\n')
	}
}

// wantsDescriptions asks the variables by which a user has no descriptions of any
// program whose scripts are cobra's.
func (a *app) wantsDescriptions() bool {
	value := os.Getenv(strings.ToUpper(a.name) + "_COMPLETION_DESCRIPTIONS")
	if value == "" {
		value = os.Getenv("COBRA_COMPLETION_DESCRIPTIONS")
	}
	wants, err := strconv.ParseBool(value)
	return wants || err != nil
}

// candidates completes word, which comes after the words before it in c's command line.
func (c *Command) candidates(before []string, word string) ([]candidate, directive) {
	args, err := c.parse(before)
	if err != nil {
		// The last word wants a value, which word is to be, or there is no sense in them.
		return c.completeValue(before[len(before)-1], word)
	}
	if len(args) > 0 && c.stopAtFirstArgument {
		if child := c.child(args[0]); child != nil {
			return child.candidates(args[1:], word)
		}
	}
	if strings.HasPrefix(word, "-") && c.takesOption(before, len(args)) {
		if option, value, ok := strings.Cut(word, "="); ok {
			return c.completeValue(option, value)
		}
		return startingWith(word, c.completeOption()), noFiles
	}
	switch {
	case len(args) == 0 && len(c.commands) > 0:
		return startingWith(word, c.completeCommand()), noFiles
	case c.complete != nil:
		all, directive := c.complete(args)
		return startingWith(word, all), directive
	}
	return nil, filesToo
}

// completeValue completes the value of an option. The scripts put the option before it, if
// it is part of the word.
func (c *Command) completeValue(option, value string) ([]candidate, directive) {
	name, isOption := strings.CutPrefix(option, "-")
	name = strings.TrimPrefix(name, "-")
	f := c.Flags().Lookup(name)
	if f == nil && len(name) == 1 {
		f = c.Flags().ShorthandLookup(name)
	}
	if f == nil || !isOption {
		return nil, filesToo
	}
	values := optionValues(f)
	if values == nil {
		return nil, filesToo
	}
	return startingWith(value, words(values)), noFiles
}

// optionValues are those that an option may have, nil when nobody can list them. One
// with a value means the same in all commands that have it.
func optionValues(f *pflag.Flag) []string {
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

// words makes candidates without a description.
func words(list []string) []candidate {
	all := make([]candidate, len(list))
	for i, word := range list {
		all[i].word = word
	}
	return all
}

// startingWith keeps what word may become.
func startingWith(word string, all []candidate) []candidate {
	return slices.DeleteFunc(all, func(c candidate) bool { return !strings.HasPrefix(c.word, word) })
}

// takesOption says whether an option may come after the words before, which have n
// positional arguments: where none may, "--" is one more of those.
func (c *Command) takesOption(before []string, n int) bool {
	args, err := c.parse(append(before[:len(before):len(before)], "--"))
	return err == nil && len(args) == n
}

// completeOption finds the options of c. Those that are there already are left out, if
// one is enough.
func (c *Command) completeOption() []candidate {
	var all []candidate
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if _, repeated := f.Value.(pflag.SliceValue); f.Changed && !repeated {
			return
		}
		_, about := pflag.UnquoteUsage(f)
		all = append(all, candidate{"--" + f.Name, about})
		if f.Shorthand != "" {
			all = append(all, candidate{"-" + f.Shorthand, about})
		}
	})
	return all
}

// completeCommand finds the commands below c.
func (c *Command) completeCommand() []candidate {
	var all []candidate
	for _, child := range c.commands {
		if !child.Hidden {
			all = append(all, candidate{child.Name(), child.Short})
		}
	}
	return all
}

// completeNothing is for arguments whose values nobody knows.
func completeNothing([]string) ([]candidate, directive) { return nil, noFiles }

// completeContainer completes the first argument with the ids of containers.
func (a *app) completeContainer(args []string) ([]candidate, directive) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return a.completeContainers(nil)
}

// completeContainers completes each argument with an id that is not among them yet.
func (a *app) completeContainers(args []string) ([]candidate, directive) {
	states, err := a.list()
	if err != nil {
		return nil, noCompletion
	}
	ids := make([]candidate, 0, len(states))
	for _, s := range states {
		if slices.Contains(args, s.ID) {
			continue
		}
		ids = append(ids, candidate{s.ID, string(s.Status)})
	}
	return ids, noFiles
}
