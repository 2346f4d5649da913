// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/berth-run/berth/cmd/internal/report"
)

// Style says how the tree is printed.
type Style struct {
	// Threshold hides phases that are shorter, unless they failed.
	Threshold time.Duration
	// Colour allows escape sequences.
	Colour bool
}

// maxText limits the length of a name or an error of a trace.
const maxText = 300

// Table returns the commands as trees of phases. Times are in milliseconds since the beginning of
// the command.
func Table(commands []*Command, s Style) string {
	var b strings.Builder
	for i, c := range commands {
		if i > 0 {
			b.WriteByte('\n')
		}
		s.command(&b, c, commands[0].Start)
	}
	return b.String()
}

func (s *Style) command(b *strings.Builder, c *Command, zero time.Duration) {
	title := text(c.Name)
	if len(c.Tracks) == 0 {
		fmt.Fprintf(b, "%s: no phases (it is running, or was killed)\n", s.paint(bold, title))
		return
	}
	fmt.Fprintf(b, "%s: %s ms", s.paint(bold, title), millis(c.Duration))
	if since := c.Start - zero; since > 0 {
		fmt.Fprintf(b, ", %s ms after the first", millis(since))
	}
	if c.Failed != nil {
		b.WriteString(s.paint(red, ", failed in \""+text(c.Failed.Name)+"\""))
	}
	b.WriteString("\n     start   duration   share\n")
	for _, t := range c.Tracks {
		fmt.Fprintf(b, "%31s%s\n", "", s.paint(bold, text(t.Name)))
		walk(t.Phases, 0, func(depth int, p *Phase) bool {
			if p.Duration < s.Threshold && p.Error == "" {
				return false
			}
			s.phase(b, c, depth, p)
			return true
		})
	}
	if c.Failed != nil {
		fmt.Fprintf(b, "%s %s\n", s.paint(red, "failed:"), text(c.Failed.Error))
	}
}

func (s *Style) phase(b *strings.Builder, c *Command, depth int, p *Phase) {
	name, mark := text(p.Name), ""
	switch {
	case p == c.Failed:
		name, mark = s.paint(red, name), s.paint(red, "  <- failed here")
	case p.Error != "":
		mark = s.paint(red, "  failed")
	case p.Longest:
		name, mark = s.paint(yellow, name), s.paint(yellow, "  <- longest")
	}
	fmt.Fprintf(b, "%10s %10s %6s%%  %*s%s%s\n", millis(p.Start-c.Start), millis(p.Duration),
		fmt.Sprintf("%.1f", c.share(p)), 2*(depth+1), "", name, mark)
}

// share is the part of the command's time that a phase took, in percent.
func (c *Command) share(p *Phase) float64 {
	if c.Duration == 0 {
		return 0
	}
	return 100 * float64(p.Duration) / float64(c.Duration)
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.3f", float64(d)/float64(time.Millisecond))
}

// text makes a text of the file fit for one line of a terminal.
func text(s string) string {
	if len(s) > maxText {
		cut := maxText
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "..."
	}
	return report.Printable(s)
}

// Escape sequences (ECMA-48, SGR).
const (
	bold   = "1"
	red    = "31"
	yellow = "33"
)

func (s *Style) paint(colour, text string) string {
	if !s.Colour || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// The document of JSON. Times are in microseconds.
type (
	commandJSON struct {
		Command  string      `json:"command"`
		PID      int64       `json:"pid"`
		Start    float64     `json:"start_us"`
		Duration float64     `json:"duration_us"`
		Failed   *failedJSON `json:"failed,omitempty"`
		Tracks   []trackJSON `json:"tracks"`
	}
	failedJSON struct {
		Phase string `json:"phase"`
		Error string `json:"error"`
	}
	trackJSON struct {
		Name   string      `json:"name"`
		Phases []phaseJSON `json:"phases"`
	}
	phaseJSON struct {
		Name string `json:"name"`
		// Start is since the beginning of the command.
		Start    float64     `json:"start_us"`
		Duration float64     `json:"duration_us"`
		Share    float64     `json:"share_percent"`
		Error    string      `json:"error,omitempty"`
		Longest  bool        `json:"longest,omitempty"`
		Phases   []phaseJSON `json:"phases,omitempty"`
	}
)

// JSON returns the commands as an array, without the phases that are shorter than threshold.
func JSON(commands []*Command, threshold time.Duration) ([]byte, error) {
	all := []commandJSON{}
	for _, c := range commands {
		j := commandJSON{Command: c.Name, PID: c.PID, Start: inMicros(c.Start), Duration: inMicros(c.Duration), Tracks: []trackJSON{}}
		if c.Failed != nil {
			j.Failed = &failedJSON{c.Failed.Name, c.Failed.Error}
		}
		for _, t := range c.Tracks {
			j.Tracks = append(j.Tracks, trackJSON{t.Name, phasesJSON(c, t.Phases, threshold)})
		}
		all = append(all, j)
	}
	return json.MarshalIndent(all, "", "  ")
}

func phasesJSON(c *Command, phases []*Phase, threshold time.Duration) []phaseJSON {
	all := []phaseJSON{}
	for _, p := range phases {
		if p.Duration < threshold && p.Error == "" {
			continue
		}
		all = append(all, phaseJSON{
			p.Name, inMicros(p.Start - c.Start), inMicros(p.Duration), c.share(p), p.Error, p.Longest, phasesJSON(c, p.Phases, threshold),
		})
	}
	return all
}

func inMicros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
