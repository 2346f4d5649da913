// SPDX-License-Identifier: Apache-2.0

package main

// TODO(wire-up): specconv.KnownMountOptions, specconv.KnownCapabilities and
// seccomp.Version.

func knownMountOptions() []string { return nil }
func knownCapabilities() []string { return nil }
func libseccompVersion() string   { return "" }
