// SPDX-License-Identifier: Apache-2.0

// Package testlog has the log of a test for what is under test.
package testlog

import "testing"

// Log is a Logger that writes to the log of T.
type Log struct{ T testing.TB }

// Warnf logs a warning.
func (l Log) Warnf(format string, args ...any) { l.T.Logf("warning: "+format, args...) }

// Debugging is true.
func (l Log) Debugging() bool { return true }

// Debugf logs what is for who debugs.
func (l Log) Debugf(format string, args ...any) { l.T.Logf("debug: "+format, args...) }
