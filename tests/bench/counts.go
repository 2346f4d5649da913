// SPDX-License-Identifier: Apache-2.0

package main

import "io"

func checkCounts(w io.Writer, c *config, file string) error { return nil }
