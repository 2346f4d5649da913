// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/report"
	"github.com/berth-run/berth/libcontainer"
)

// doctorResult is what doctor prints as JSON.
type doctorResult struct {
	// For is the config whose needs these are.
	For        string                   `json:"for,omitempty"`
	Missing    int                      `json:"missing"`
	Conditions []libcontainer.Condition `json:"conditions"`
}

func (a *app) doctorCommand() *command.Command {
	var config, format string
	c := &command.Command{
		Use:   "doctor [flags]",
		Short: "find out whether this host can run containers, and what is missing",
		Example: `  berth doctor
  berth doctor --for box`,
		Long: `Looks for what containers need of this host, by trying it, as the user who calls it:
system calls, namespaces, cgroups and their controllers, ids of ordinary users, seccomp,
Landlock and other security modules, id-mapped mounts, criu, systemd, and the configuration of
engines. What is missing is shown with what does not work, and how to mend it.

With --for only what that config needs is looked at. The exit status is 1 if something is
missing that every container needs, or that the config needs.`,
		Args: a.arguments(0, 0),
		Run: func([]string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			return a.doctor(config, format)
		},
	}
	f := c.Flags()
	f.StringVar(&config, "for", "", "look only at what the bundle or config.json `PATH` needs")
	f.StringVar(&format, "format", "table", "print the result as `FORMAT`: table or json")
	return c
}

func (a *app) doctor(config, format string) error {
	root, err := a.root()
	if err != nil {
		return err
	}
	o := &libcontainer.ExamineOptions{Root: root, Criu: a.global.criu}
	if config != "" {
		bundle, file := config, ""
		if info, err := os.Stat(config); err == nil && !info.IsDir() {
			bundle, file = filepath.Dir(config), config
		}
		ch, name, err := a.checkBundle(bundle, file)
		if err != nil {
			return err
		}
		if ch.Rough == nil {
			return fmt.Errorf("%s: not a config.json (see \"%s check\")", name, a.name)
		}
		o.For = ch.Rough
	}
	r := &doctorResult{For: config, Conditions: libcontainer.Examine(o)}
	for i := range r.Conditions {
		if c := &r.Conditions[i]; c.Bad() && (c.Essential || len(c.NeededBy) > 0) {
			r.Missing++
		}
	}
	if err := a.printConditions(r, format); err != nil {
		return err
	}
	if r.Missing > 0 {
		what := "this host"
		if config != "" {
			what = config
		}
		return fmt.Errorf("%s: missing what it needs: %d (see above)", what, r.Missing)
	}
	return nil
}

func (a *app) printConditions(r *doctorResult, format string) error {
	if format == "json" {
		return a.printJSON(r, "  ")
	}
	var b strings.Builder
	area := ""
	for i := range r.Conditions {
		c := &r.Conditions[i]
		if c.Area != area {
			area = c.Area
			b.WriteString(area + "\n")
		}
		b.WriteString(conditionLines(c))
	}
	return a.print(b.String())
}

// conditionLines is a line for a condition, and more about one that is not met.
func conditionLines(c *libcontainer.Condition) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %-8s %s", c.Status, c.Name)
	if c.Found != "" {
		b.WriteString(": " + report.Printable(c.Found))
	}
	if len(c.NeededBy) > 0 {
		b.WriteString(" (for " + report.Printable(strings.Join(c.NeededBy, ", ")) + ")")
	}
	b.WriteByte('\n')
	if c.Status == "ok" || c.Status == "unused" {
		return b.String()
	}
	for _, line := range [...]struct{ label, text string }{{"without", c.Effect}, {"mend", c.Mend}, {"type", c.Command}} {
		if line.text != "" {
			fmt.Fprintf(&b, "             %-8s %s\n", line.label+":", report.Printable(line.text))
		}
	}
	return b.String()
}
