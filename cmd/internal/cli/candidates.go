// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
)

// completeRequest answers a request of a completion script.
func (a *app) completeRequest(root *command.Command, request []string) error {
	words := request[1:]
	if len(words) == 0 {
		return fmt.Errorf("%s: %q requires a minimum of 1 argument(s)", a.name, request[0])
	}
	a.addAllCommands(root)
	last := len(words) - 1
	candidates, directive := root.Candidates(words[:last], words[last])
	a.writeCandidates(candidates, request[0] == command.RequestDescribed && a.wantsDescriptions())
	fmt.Fprintf(&a.text, ":%d\n", directive)
	return nil
}

// writeCandidates writes a line for each candidate.
func (a *app) writeCandidates(candidates []command.Candidate, described bool) {
	for _, c := range candidates {
		a.text.WriteString(c.Word)
		if described && c.About != "" {
			// A second line would be another candidate.
			about, _, _ := strings.Cut(c.About, "\n")
			a.text.WriteString("\t" + about)
		}
		a.text.WriteByte('\n')
	}
}

// wantsDescriptions reports whether descriptions are wanted. Users turn them off with the
// variables of cobra's scripts.
func (a *app) wantsDescriptions() bool {
	value := os.Getenv(strings.ToUpper(a.name) + "_COMPLETION_DESCRIPTIONS")
	if value == "" {
		value = os.Getenv("COBRA_COMPLETION_DESCRIPTIONS")
	}
	wants, err := strconv.ParseBool(value)
	return wants || err != nil
}

// completeContainer completes the first argument with the ids of containers.
func (a *app) completeContainer(args []string) ([]command.Candidate, command.Directive) {
	if len(args) > 0 {
		return nil, command.NoFiles
	}
	return a.completeContainers(nil)
}

// completeContainers completes each argument with an id that is not among them yet.
func (a *app) completeContainers(args []string) ([]command.Candidate, command.Directive) {
	states, err := a.list()
	if err != nil {
		return nil, command.NoCompletion
	}
	ids := make([]command.Candidate, 0, len(states))
	for _, s := range states {
		if slices.Contains(args, s.ID) {
			continue
		}
		ids = append(ids, command.Candidate{Word: s.ID, About: string(s.Status)})
	}
	return ids, command.NoFiles
}
