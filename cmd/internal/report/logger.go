// SPDX-License-Identifier: Apache-2.0

// Package report writes what a command has to say besides its output: warnings, details for
// debugging, and the one error that ends it.
package report

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/berth-run/berth/cmd/internal/terminal"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/sirupsen/logrus"
)

// Logger writes the log of one invocation; it is the libcontainer.Logger of all commands.
//
// Unless a level was given, warnings are held back until the result is known. They are written
// if the command succeeds and dropped if it fails. Podman parses the log of a failed command as
// one JSON object, and both Docker and Podman choose an exit status by phrases found anywhere
// in the text, so a warning that happens to say "no such file or directory" next to the real
// error would change what the engine reports to the user.
type Logger struct {
	logrus logrus.Logger
	stderr io.Writer
	// file is the log file, nil when the log is stderr.
	file *os.File
	name string
	// plain is set if the log is a terminal, for whose reader the phrases of engines are left out;
	// json is set for that format.
	plain, json bool
	// explicit is set if the caller has chosen a file or a format; looked, if stderr was looked at.
	explicit, looked bool
	// began is the time since which debug messages count.
	began time.Time
	hold  bool
	held  []heldWarning
}

type heldWarning struct {
	at   time.Time
	text string
}

// Options say what is logged, and where.
type Options struct {
	// File is the log file; "" and /dev/stderr are stderr.
	File string
	// Format is text or json. With "", it is text, and on a terminal plain words.
	Format string
	// Level is the lowest level that is logged. With "", that is warnings, if the command succeeds.
	Level string
	// Debug logs everything.
	Debug bool
}

// New returns a Logger that writes text to stderr, the default until the options are known. name is
// that of the program.
func New(stderr io.Writer, name string) *Logger {
	l := &Logger{stderr: stderr, name: name, hold: true}
	l.logrus = logrus.Logger{
		Out:       stderr,
		Formatter: textFormatter(),
		Level:     logrus.WarnLevel,
	}
	return l
}

// Configure applies the options.
func (l *Logger) Configure(o *Options) error {
	switch o.Format {
	case "", "text":
	case "json":
		l.json = true
		l.logrus.Formatter = &logrus.JSONFormatter{TimestampFormat: time.RFC3339}
	default:
		return fmt.Errorf("invalid log-format: %s", o.Format)
	}
	switch {
	case o.Debug:
		l.hold = false
		l.logrus.Level = logrus.DebugLevel
	case o.Level != "":
		level, err := logrus.ParseLevel(o.Level)
		if err != nil {
			return fmt.Errorf("invalid log-level: %s", o.Level)
		}
		l.hold = false
		l.logrus.Level = level
	}
	if l.Debugging() {
		l.began = time.Now()
	}
	if o.File == "" || o.File == "/dev/stderr" {
		l.explicit = o.File != "" || o.Format != ""
		return nil
	}
	// Several commands may write to the file at the same time. O_APPEND and a single write(2)
	// per line keep the lines whole.
	f, err := os.OpenFile(o.File, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("--log: %w", err)
	}
	l.file, l.explicit = f, true
	l.logrus.Out = f
	return nil
}

// textFormatter returns the format of runc and crun: time="…" level=error msg="…". It never
// uses colours, because engines show the text to their users.
func textFormatter() logrus.Formatter {
	return &logrus.TextFormatter{DisableColors: true, FullTimestamp: true, TimestampFormat: time.RFC3339}
}

// choose decides about plain words when the first line is written. Most commands write none.
func (l *Logger) choose() {
	if l.looked || l.explicit {
		return
	}
	l.looked = true
	if f, ok := l.stderr.(*os.File); ok && terminal.Is(f) {
		l.plain = true
		l.logrus.Formatter = &plainFormatter{l.name, terminal.HasColour(f)}
	}
}

// Warnf logs a problem that is not an error.
func (l *Logger) Warnf(format string, args ...any) {
	text := message(fmt.Sprintf(format, args...))
	if l.hold {
		l.held = append(l.held, heldWarning{time.Now(), text})
		return
	}
	l.choose()
	l.logrus.Warn(text)
}

// Debugging reports whether Debugf logs anything.
func (l *Logger) Debugging() bool { return l.logrus.IsLevelEnabled(logrus.DebugLevel) }

// Debugf logs details for debugging the runtime, with the time since the options were read.
func (l *Logger) Debugf(format string, args ...any) {
	if l.Debugging() {
		l.choose()
		l.logrus.Debug(fmt.Sprintf("[%9.3f ms] ", milliseconds(time.Since(l.began))) + message(fmt.Sprintf(format, args...)))
	}
}

// tellFrom is how long a phase must take to be worth a line.
const tellFrom = 500 * time.Microsecond

// Phase logs that a phase of the command has ended, if it took long or has failed.
func (l *Logger) Phase(e *trace.Event) {
	switch took := e.End - e.Start; {
	case e.Error != "":
		l.Debugf("%s: failed after %.3f ms: %s: %s", e.Lane, milliseconds(took), e.Name, e.Error)
	case took >= tellFrom:
		l.Debugf("%s: took %.3f ms: %s", e.Lane, milliseconds(took), e.Name)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Flush writes the warnings that were held back. Later ones are written at once.
func (l *Logger) Flush() {
	l.hold = false
	if len(l.held) > 0 {
		l.choose()
	}
	for _, w := range l.held {
		l.logrus.WithTime(w.at).Warn(w.text)
	}
	l.held = nil
}

// Fatal logs the error that ends the command. Engines read the log file; users and some engines
// read stderr. If there is a log file, the error goes to both.
func (l *Logger) Fatal(err error) {
	l.choose()
	text := message(oneLine(err))
	switch {
	case l.plain:
		l.logrus.Error(message(plain(err)))
	case l.json:
		l.logrus.WithField("code", codes.Of(err)).Error(text)
	default:
		l.logrus.Error(text)
	}
	if l.file != nil {
		// If writing to stderr fails, there is nowhere to report it.
		_, _ = io.WriteString(l.stderr, text+"\n")
	}
}

// Outlive makes writing the log safe even if nobody reads stderr any more. [os.File] would then
// end the process by SIGPIPE, but in the foreground berth has to serve the container.
func (l *Logger) Outlive() error {
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

// Close ends logging.
func (l *Logger) Close() {
	if l.file != nil {
		// Every line was written with its own write(2), and logrus has reported failures. Close
		// has nothing to add.
		_ = l.file.Close()
	}
}
