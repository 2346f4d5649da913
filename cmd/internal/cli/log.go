// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/berth-run/berth/cmd/internal/terminal"
	"github.com/sirupsen/logrus"
)

// logger writes the log of one invocation; it is the libcontainer.Logger of
// all commands.
//
// Unless a level was given, warnings are held back until the result is known. They are written
// if the command succeeds and dropped if it fails. Podman parses the log of a failed command as
// one JSON object, and both Docker and Podman choose an exit status by phrases found anywhere
// in the text, so a warning that happens to say "no such file or directory" next to the real
// error would change what the engine reports to the user.
type logger struct {
	logrus logrus.Logger
	stderr io.Writer
	// file is the log file, nil when the log is stderr.
	file *os.File
	hold bool
	held []heldWarning
}

type heldWarning struct {
	at   time.Time
	text string
}

// newLogger returns a logger that writes text to stderr, the default until the options are
// known.
func newLogger(stderr io.Writer) *logger {
	l := &logger{stderr: stderr, hold: true}
	l.logrus = logrus.Logger{
		Out:       stderr,
		Formatter: textFormatter(),
		Level:     logrus.WarnLevel,
	}
	return l
}

// configure applies the global options.
func (l *logger) configure(g *globalOptions) error {
	switch g.logFormat {
	case "", "text":
	case "json":
		l.logrus.Formatter = &logrus.JSONFormatter{TimestampFormat: time.RFC3339}
	default:
		return fmt.Errorf("invalid log-format: %s", g.logFormat)
	}
	switch {
	case g.debug:
		l.hold = false
		l.logrus.Level = logrus.DebugLevel
	case g.logLevel != "":
		level, err := logrus.ParseLevel(g.logLevel)
		if err != nil {
			return fmt.Errorf("invalid log-level: %s", g.logLevel)
		}
		l.hold = false
		l.logrus.Level = level
	}
	if g.log == "" || g.log == "/dev/stderr" {
		return nil
	}
	// Several commands may write to the file at the same time. O_APPEND and a single write(2)
	// per line keep the lines whole.
	f, err := os.OpenFile(g.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("--log: %w", err)
	}
	l.file = f
	l.logrus.Out = f
	return nil
}

// textFormatter returns the format of runc and crun: time="…" level=error msg="…". It never
// uses colours, because engines show the text to their users.
func textFormatter() logrus.Formatter {
	return &logrus.TextFormatter{DisableColors: true, FullTimestamp: true, TimestampFormat: time.RFC3339}
}

// Warnf logs a problem that is not an error.
func (l *logger) Warnf(format string, args ...any) {
	text := message(fmt.Sprintf(format, args...))
	if l.hold {
		l.held = append(l.held, heldWarning{time.Now(), text})
		return
	}
	l.logrus.Warn(text)
}

// Debugging reports whether Debugf logs anything.
func (l *logger) Debugging() bool { return l.logrus.IsLevelEnabled(logrus.DebugLevel) }

// Debugf logs details for debugging the runtime.
func (l *logger) Debugf(format string, args ...any) {
	if l.Debugging() {
		l.logrus.Debug(message(fmt.Sprintf(format, args...)))
	}
}

// flush writes the warnings that were held back. Later ones are written at once.
func (l *logger) flush() {
	l.hold = false
	for _, w := range l.held {
		l.logrus.WithTime(w.at).Warn(w.text)
	}
	l.held = nil
}

// fatal logs the error that ends the command. Engines read the log file; users and some engines
// read stderr. If there is a log file, the error goes to both.
func (l *logger) fatal(err error) {
	text := message(oneLine(err))
	l.logrus.Error(text)
	if l.file != nil {
		// If writing to stderr fails, there is nowhere to report it.
		_, _ = io.WriteString(l.stderr, text+"\n")
	}
}

// outlive makes writing the log safe even if nobody reads stderr any more. [os.File] would then
// end the process by SIGPIPE, but in the foreground berth has to serve the container.
func (l *logger) outlive() error {
	f, ok := l.stderr.(*os.File)
	if !ok {
		return nil
	}
	dup, err := terminal.WithoutSIGPIPE(f)
	if err != nil {
		return err
	}
	l.stderr = dup
	if l.file == nil {
		l.logrus.Out = unfailing{dup}
	}
	return nil
}

// unfailing ignores errors of the writer: logrus would report them on [os.Stderr].
type unfailing struct{ io.Writer }

func (u unfailing) Write(text []byte) (int, error) {
	_, _ = u.Writer.Write(text)
	return len(text), nil
}

// close ends logging.
func (l *logger) close() {
	if l.file != nil {
		// Every line was written with its own write(2), and logrus has reported failures. Close
		// has nothing to add.
		_ = l.file.Close()
	}
}
