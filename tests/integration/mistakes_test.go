// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// errorsDocument has the table of mistakes.
const errorsDocument = "../../docs/errors.md"

// mistake is something that somebody does wrong. do returns the result of the command that fails; the
// container is new, and runs true.
type mistake struct {
	name string
	do   func(c *container) *result
}

// TestMistakes makes the mistakes in the table of docs/errors.md, and compares what berth says: text,
// code and exit status. With UPDATE=1 it writes the table.
func TestMistakes(t *testing.T) {
	onlyBerth(t)
	only(t, suite.users.name == "root" && strings.HasPrefix(filepath.Base(suite.rootfs), "busybox"), "root, with busybox")
	document, err := os.ReadFile(errorsDocument)
	if err != nil {
		t.Fatal(err)
	}
	head, rows, tail := splitTable(t, string(document))
	var table strings.Builder
	seen := 0
	for _, group := range mistakes {
		for _, m := range group {
			row := rowOf(rows, m.name)
			t.Run(m.name, func(t *testing.T) {
				c := newContainer(t).args("true")
				row = c.describeMistake(&m)
				if !strings.Contains(rows, row) && os.Getenv("UPDATE") == "" {
					t.Errorf("%s is not in docs/errors.md, which has\n%s", row, rowOf(rows, m.name))
				}
			})
			table.WriteString(row)
			seen++
		}
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(errorsDocument, []byte(head+table.String()+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if n := strings.Count(rows, "\n"); n != seen {
		t.Errorf("docs/errors.md has %d mistakes, and there are %d", n, seen)
	}
}

// splitTable returns the rows of the table, and what comes before and after them.
func splitTable(t *testing.T, document string) (head, rows, tail string) {
	t.Helper()
	const begin = "| mistake | what berth says | code | status |\n|---|---|---|---|\n"
	before, after, ok := strings.Cut(document, begin)
	if !ok {
		t.Fatalf("docs/errors.md has no table of mistakes")
	}
	end := 0
	for strings.HasPrefix(after[end:], "|") {
		end += strings.Index(after[end:], "\n") + 1
	}
	return before + begin, after[:end], after[end:]
}

func rowOf(rows, name string) string {
	for row := range strings.Lines(rows) {
		if strings.HasPrefix(row, "| "+name+" |") {
			return row
		}
	}
	return ""
}

// describeMistake makes the mistake and returns its row of the table.
func (c *container) describeMistake(m *mistake) string {
	c.t.Helper()
	r := m.do(c)
	if r.status == 0 {
		c.t.Errorf("%s: no error, stdout %q", r.what, r.out)
	}
	var entry struct{ Code, Msg string }
	log, err := os.ReadFile(c.path("mistake.log"))
	if err == nil {
		err = json.Unmarshal(log, &entry)
	}
	if err != nil {
		c.t.Fatalf("log %q: %v", log, err)
	}
	if strings.TrimSuffix(r.stderr, "\n") != entry.Msg {
		c.t.Errorf("stderr %q, log %q", r.stderr, entry.Msg)
	}
	text := strings.NewReplacer(
		c.state, "/state", c.dir, "/bundle", c.id, "web", strconv.Itoa(os.Getpid()), "PID", "|", `\|`, "this machine is "+machineName(), "this machine is x86_64",
	).Replace(entry.Msg)
	return fmt.Sprintf("| %s | `%s` | `%s` | %d |\n", m.name, text, entry.Code, r.status)
}

// mistaken runs a command that fails.
func (c *container) mistaken(args ...string) *result {
	c.t.Helper()
	_ = os.Remove(c.path("mistake.log"))
	c.global = append(c.global, "--log", c.path("mistake.log"), "--log-format", "json")
	return c.command(args...)
}

// mistakenRun runs the container, which fails.
func (c *container) mistakenRun() *result {
	c.t.Helper()
	c.write()
	return c.mistaken("run", c.id)
}

// stopped makes a container whose program has ended.
func (c *container) stopped() *container {
	c.t.Helper()
	c.create().start()
	c.wait()
	return c
}

// makeFifo makes a FIFO in the container.
func (c *container) makeFifo(name string) {
	c.t.Helper()
	if err := unix.Mkfifo(c.rootfs(name), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Chmod(c.rootfs(name), 0o755); err != nil {
		c.t.Fatal(err)
	}
}

// machineName returns the name of this machine in berth's errors. The table has x86_64.
func machineName() string {
	if runtime.GOARCH == "arm64" {
		return "aarch64"
	}
	return "x86_64"
}
