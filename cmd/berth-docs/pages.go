// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/berth-run/berth/cmd/internal/cli"
	"github.com/berth-run/berth/cmd/internal/command"
)

const manualName = "berth manual"

// manual returns the text of each page by its file name: berth(8), a page for each command that is
// not hidden, and berth-bundle(5).
func manual(support string, date time.Time) (map[string]string, error) {
	root := cli.Tree()
	pages := map[string]string{"berth.8": mainPage(root, date)}
	for _, c := range root.Children {
		if !c.Hidden {
			pages[pageName(c)+".8"] = commandPage(c, date)
		}
	}
	bundle, err := bundlePage(support, date)
	pages["berth-bundle.5"] = bundle
	return pages, err
}

// pageName returns the name of a command's page.
func pageName(c *command.Command) string { return "berth-" + c.Name() }

// mainPage returns berth(8).
func mainPage(root *command.Command, date time.Time) string {
	p := newPage("berth", "8", date, cli.Version(), manualName)
	p.section("NAME")
	p.line(`berth \- ` + escape(root.Short))
	p.section("SYNOPSIS")
	p.line(synopsis(root.Use))
	p.section("DESCRIPTION")
	p.text(root.Long)
	p.section("COMMANDS")
	for _, group := range root.GroupNames() {
		if group != "" {
			p.subsection(group)
		}
		for _, c := range root.Group(group) {
			p.item(bold(pageName(c))+"(8)", sentence(c.Short))
		}
	}
	p.section("OPTIONS")
	p.text("These come before the command. An option may have one dash or two.")
	p.options(root.Flags())
	p.items("ENVIRONMENT", environment)
	p.items("FILES", files)
	p.section("EXIT STATUS")
	p.text("0 if the command succeeded, and 1 if not. `berth run` and `berth exec` have the status of the program that they wait for; `berth exec` has 255 if it failed itself. A program that was ended by a signal has the status 128 and the signal's number. A command that fails writes one line to standard error or, with `--log`, to the log as well.")
	p.examples(root)
	p.section("SEE ALSO")
	p.text("berth-bundle(5), criu(8), capabilities(7), cgroups(7), namespaces(7), user_namespaces(7)\n\nThe specification of bundles and of what a runtime does: https://github.com/opencontainers/runtime-spec")
	return p.String()
}

// commandPage returns the page of a command.
func commandPage(c *command.Command, date time.Time) string {
	p := newPage(pageName(c), "8", date, cli.Version(), manualName)
	p.section("NAME")
	p.line(escape(pageName(c)) + ` \- ` + escape(c.Short))
	p.section("SYNOPSIS")
	p.line(bold("berth") + " [" + italic("GLOBAL-OPTIONS") + "] " + synopsis(c.Use))
	if c.Alias != "" {
		p.b.WriteString(".br\n")
		_, rest, _ := strings.Cut(c.Use, " ")
		p.line(bold("berth") + " [" + italic("GLOBAL-OPTIONS") + "] " + synopsis(c.Alias+" "+rest))
	}
	p.section("DESCRIPTION")
	about := c.Long
	if about == "" {
		about = sentence(c.Short)
	}
	p.text(about)
	if len(c.Children) > 0 {
		p.section("COMMANDS")
		for _, child := range c.Children {
			p.item(bold(c.Name()+" "+child.Name()), sentence(child.Short))
		}
	}
	p.section("OPTIONS")
	p.options(c.Flags())
	if vars := environmentOf(c.Name()); len(vars) > 0 {
		p.items("ENVIRONMENT", vars)
	}
	p.section("EXIT STATUS")
	status, ok := exitStatus[c.Name()]
	if !ok {
		status = "0 if the command succeeded, and 1 if not."
	}
	p.text(status)
	p.examples(c)
	p.section("SEE ALSO")
	p.text(strings.Join(append([]string{"berth(8)"}, related(c.Name())...), ", "))
	return p.String()
}

// synopsis marks up a usage line: words are literal, but what is in capital letters is replaced.
func synopsis(use string) string {
	words := strings.Fields(use)
	for i, word := range words {
		if word == "[flags]" {
			words[i] = "[" + italic("OPTIONS") + "]"
			continue
		}
		core := strings.Trim(word, "[].")
		mark := bold
		if core == strings.ToUpper(core) && core != "--" || core == "argument" || core == "command" {
			mark = italic
		}
		at := strings.Index(word, core)
		words[i] = escape(word[:at]) + mark(core) + escape(word[at+len(core):])
	}
	return strings.Join(words, " ")
}

// sentence makes a sentence of a summary.
func sentence(short string) string {
	return strings.ToUpper(short[:1]) + short[1:] + "."
}

// options lists the options with their values and defaults.
func (p *page) options(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		h := command.Describe(f)
		tag := bold(h.Long)
		if h.Short != "" {
			tag = bold(h.Short) + ", " + tag
		}
		if h.Value != "" {
			tag += " " + italic(h.Value)
		}
		about := sentence(h.About)
		if h.Default != "" {
			about += fmt.Sprintf(" The default is %s.", h.Default)
		}
		if missing := missingValues(f); len(missing) > 0 {
			about += " Possible values: " + strings.Join(missing, ", ") + "."
		}
		p.item(tag, about)
	})
}

// missingValues returns the values of an option that its description does not mention.
func missingValues(f *pflag.Flag) []string {
	if f.Value.Type() == "bool" {
		return nil
	}
	for _, value := range command.OptionValues(f) {
		if !strings.Contains(f.Usage, value) {
			return command.OptionValues(f)
		}
	}
	return nil
}

// examples adds the examples of a command: sentences, and what is indented below them.
func (p *page) examples(c *command.Command) {
	if c.Example == "" {
		return
	}
	p.section("EXAMPLES")
	p.text(c.Example)
}

// entry is a tagged paragraph.
type entry struct{ tag, about string }

func (p *page) items(section string, entries []entry) {
	p.section(section)
	for _, e := range entries {
		p.item(bold(e.tag), e.about)
	}
}
