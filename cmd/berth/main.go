// SPDX-License-Identifier: Apache-2.0

// Command berth is an OCI low-level container runtime.
package main

func main() {}
