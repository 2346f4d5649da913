// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/features"
)

func (a *app) featuresCommand() *command.Command {
	return &command.Command{
		Use:   "features [flags]",
		Short: "print what this build supports, as JSON",
		Long: `Prints what this build supports, as the JSON of the runtime-spec's features
document. It describes what is built in, not what the host allows.`,
		Example: `  berth features | jq .linux.namespaces`,
		Args:    a.arguments(0, 0),
		Run: func([]string) error {
			return a.printJSON(features.New(Version(), a.commit), "    ")
		},
	}
}
