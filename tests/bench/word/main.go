// SPDX-License-Identifier: Apache-2.0

// Command word prints a word. Its time is what the start of any Go program costs, and so
// what no command of a runtime in Go can be faster than.
package main

import "os"

func main() {
	if _, err := os.Stdout.WriteString("word\n"); err != nil {
		os.Exit(1)
	}
}
