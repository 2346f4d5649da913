// SPDX-License-Identifier: Apache-2.0

package main
func completionCommand() *command { return &command{name: "completion"} }
func manCommand() *command { return &command{name: "man", hidden: true} }
