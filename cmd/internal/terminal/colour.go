// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"errors"
	"os"
)

// Is reports whether f is a terminal.
func Is(f *os.File) bool {
	_, err := termios(f)
	return err == nil
}

// HasScreen reports whether f is a terminal on which the cursor can be moved.
func HasScreen(f *os.File) bool {
	kind := os.Getenv("TERM")
	return kind != "" && kind != "dumb" && Is(f)
}

// HasColour reports whether escape sequences for colours may be written to f: it is a terminal
// that has some, and the user has not asked for none (no-color.org).
func HasColour(f *os.File) bool { return wantsColour(os.Getenv) && Is(f) }

// wantsColour says so of the environment. TERM is terminfo's name for the kind of terminal.
func wantsColour(getenv func(string) string) bool {
	kind := getenv("TERM")
	return getenv("NO_COLOR") == "" && kind != "" && kind != "dumb"
}

// reset leaves the alternate screen, shows the cursor, and ends all attributes and reports of the
// mouse (xterm's control sequences).
const reset = "\x1b[?1049l\x1b[?25h\x1b[0m\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l"

// Keep returns a function that makes the terminal as it is now, for when a program that shows a
// screen there has been killed.
func Keep(in, out *os.File) (restore func() error, err error) {
	settings, err := termios(in)
	if err != nil {
		return nil, err
	}
	return func() error {
		_, err := out.WriteString(reset)
		return errors.Join(err, setTermios(in, settings))
	}, nil
}
