// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/report"
	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/specconv"
)

// plannedID stands for the container's id in a plan.
const plannedID = "CONTAINER"

// checkOptions are the options of check.
type checkOptions struct {
	config, format string
	plan, strict   bool
}

// checkResult is what check prints as JSON.
type checkResult struct {
	File     string                     `json:"file"`
	Errors   int                        `json:"errors"`
	Warnings int                        `json:"warnings"`
	Problems []specconv.Problem         `json:"problems"`
	Plan     []libcontainer.PlannedStep `json:"plan,omitempty"`
}

func (a *app) checkCommand() *command.Command {
	var o checkOptions
	c := &command.Command{
		Use:   "check [flags] [BUNDLE]",
		Short: "find every mistake in a bundle, or show what create would do",
		Example: `  berth check box
  berth check --plan box`,
		Long: `Checks the config.json of a bundle (by default the current directory): all errors and
warnings at once, with line and column. It also looks on this host for what the config names,
and in the root file system for the program, its interpreter and its loader. Nothing is
created.

The exit status is 0 for a config without errors, and 1 for others. With --strict, a warning
is as bad as an error.`,
		Args: a.arguments(0, 1),
		Run: func(args []string) error {
			bundle := "."
			if len(args) > 0 {
				bundle = args[0]
			}
			return a.check(bundle, &o)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.config, "config", "f", "", "read `FILE` instead of the bundle's config.json")
	f.StringVar(&o.format, "format", "table", "print the result as `FORMAT`: table (text) or json")
	f.BoolVar(&o.plan, "plan", false, "show what create would do, in order: namespaces, mounts, cgroups, devices, filter, hooks")
	f.BoolVar(&o.strict, "strict", false, "fail for warnings, too")
	return c
}

// checkFormat checks the value of an option --format with table and json.
func checkFormat(format string) error {
	if format != "table" && format != "json" {
		return fmt.Errorf("invalid format option %q (table and json are known)", format)
	}
	return nil
}

func (a *app) check(bundle string, o *checkOptions) error {
	if err := checkFormat(o.format); err != nil {
		return err
	}
	ch, file, err := a.checkBundle(bundle, o.config)
	if err != nil {
		return err
	}
	r := &checkResult{File: file, Problems: ch.Problems}
	for _, p := range ch.Problems {
		if p.Severity == specconv.Error {
			r.Errors++
		} else {
			r.Warnings++
		}
	}
	failed := r.Errors > 0 || o.strict && r.Warnings > 0
	if o.plan && r.Errors == 0 {
		store, err := a.openStore()
		if err != nil {
			return err
		}
		if r.Plan, err = store.Preview(plannedID, ch.Plan); err != nil {
			return err
		}
	}
	if err := a.printCheck(r, o.format); err != nil || !failed {
		return err
	}
	return fmt.Errorf("%s: %s", file, r.count())
}

// checkBundle finds out everything about the config.json of a bundle. file is its name.
func (a *app) checkBundle(bundle, config string) (ch *specconv.Checked, file string, err error) {
	rootless, err := a.global.isRootless()
	if err != nil {
		return nil, "", err
	}
	dir, err := filepath.Abs(bundle)
	if err != nil {
		return nil, "", err
	}
	if file = config; file == "" {
		file = filepath.Join(bundle, "config.json")
	}
	document, err := specconv.ReadBundle(dir, config)
	if err != nil {
		return nil, "", err
	}
	ch = specconv.Check(document, &specconv.Options{
		Bundle: dir, SystemdCgroup: a.global.systemdCgroup, NoCgroup: a.global.noCgroup, Rootless: rootless,
	})
	if ch.Rough != nil {
		// What is in the root file system is not known if a mount is not.
		unknown := ch.HasErrorIn("mounts", "root")
		for _, f := range libcontainer.Findings(ch.Rough, plannedID) {
			if unknown && strings.HasPrefix(f.Text, "process.args[0]") {
				continue
			}
			severity := specconv.Error
			if f.Warning {
				severity = specconv.Warning
			}
			ch.Add(severity, f.Text)
		}
	}
	ch.Sort()
	return ch, file, nil
}

func (r *checkResult) count() string {
	return fmt.Sprintf("%s, %s", plural(r.Errors, "error"), plural(r.Warnings, "warning"))
}

// plural returns a number with a noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (a *app) printCheck(r *checkResult, format string) error {
	if format == "json" {
		if r.Problems == nil {
			r.Problems = []specconv.Problem{}
		}
		return a.printJSON(r, "  ")
	}
	var b strings.Builder
	for _, p := range r.Problems {
		b.WriteString(problemLine(r.File, &p))
	}
	for _, s := range r.Plan {
		fmt.Fprintf(&b, "%s\n", s.What)
		for _, action := range s.Actions {
			fmt.Fprintf(&b, "    %s\n", report.Printable(action))
		}
	}
	if r.Errors == 0 && len(r.Plan) == 0 {
		fmt.Fprintf(&b, "%s: %s\n", report.Printable(r.File), r.count())
	}
	return a.print(b.String())
}

// problemLine returns the form that compilers use, so that editors can go to the place.
func problemLine(file string, p *specconv.Problem) string {
	var b strings.Builder
	b.WriteString(file + ":")
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", p.Line, p.Column)
	}
	fmt.Fprintf(&b, " %s: ", p.Severity)
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Reason)
	if p.Suggestion != "" {
		fmt.Fprintf(&b, " (did you mean %s?)", p.Suggestion)
	}
	return report.Printable(b.String()) + "\n"
}
