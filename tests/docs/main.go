// SPDX-License-Identifier: Apache-2.0

// Command docs runs the command blocks of the documents as a reader would, and counts them.
//
// CONTRIBUTING.md says how a document must be written. The command does not know where its script
// runs the commands. Its one invariant: a block of commands has run and has printed what the
// document says, or has a marker with a known reason.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// fromClone are the documents whose reader is in a new clone. The reader of any other document
// has installed berth as README.md says, and is in an empty directory.
var fromClone = []string{"README.md", "CONTRIBUTING.md"}

type options struct {
	root, room string
	timeout    time.Duration
	names      []string
}

func main() {
	var o options
	flag.StringVar(&o.root, "root", ".", "`directory` of the repository")
	flag.StringVar(&o.room, "room", "", "`command` that runs `clone|installed DOCUMENT SCRIPT`; without it, nothing is run")
	flag.DurationVar(&o.timeout, "timeout", 20*time.Minute, "time limit of one document")
	flag.Parse()
	o.names = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

// run reads all documents, runs the chosen ones, and prints a table.
func run(ctx context.Context, o *options, out io.Writer) error {
	docs, err := readDocuments(o.root, o.names)
	if err != nil {
		return err
	}
	table := &strings.Builder{}
	columns := tabwriter.NewWriter(table, 0, 0, 2, ' ', 0)
	say(columns, "document\tblocks\tpassed\tfailed\tnot run\n")
	var sum [4]int
	why := make(map[string][]string)
	for _, d := range docs {
		var t transcript
		if o.room != "" {
			t = perform(ctx, o, d, out)
		}
		counts := count(d, &t, why)
		for i, n := range counts {
			sum[i] += n
		}
		say(columns, "%s\t%d\t%d\t%d\t%d\n", d.name, counts[0], counts[1], counts[2], counts[3])
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
	}
	say(columns, "all\t%d\t%d\t%d\t%d\n", sum[0], sum[1], sum[2], sum[3])
	_ = columns.Flush()
	say(out, "\n%s\nnot run:\n", table)
	for _, reason := range slices.Sorted(maps.Keys(why)) {
		say(out, "  %s: %s\n", reason, strings.Join(why[reason], ", "))
	}
	if o.room != "" && sum[2] > 0 {
		return fmt.Errorf("%d of %d blocks have failed, or were not reached", sum[2], sum[0])
	}
	return nil
}

// say prints, and ignores errors.
func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }

// count returns the number of a document's blocks of commands, and how many of them have passed,
// have failed (or were not reached) and are not to be run. It adds the last ones to why.
func count(d *document, t *transcript, why map[string][]string) [4]int {
	all := d.commands()
	marked := 0
	for _, b := range all {
		if b.notRun != "" {
			marked++
			why[b.notRun] = append(why[b.notRun], fmt.Sprintf("%s:%d", d.name, b.line))
		}
	}
	failed := len(all) - marked - t.passed
	if t.failed {
		// This includes a failure of the machine itself.
		failed = max(failed, 1)
	}
	return [4]int{len(all), t.passed, failed, marked}
}

// perform runs a document.
func perform(ctx context.Context, o *options, d *document, out io.Writer) transcript {
	t := transcript{doc: d, out: out}
	if !slices.ContainsFunc(d.commands(), func(b *block) bool { return b.notRun == "" }) {
		return t
	}
	kind := "installed"
	if slices.Contains(fromClone, d.name) {
		kind = "clone"
	}
	say(out, "\n== %s\n", d.name)
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.room, kind, d.name, d.script())
	cmd.Stdout, cmd.Stderr = &t, &t
	// The script has processes to end, and mounts to remove.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	err := cmd.Run()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("not ready after %v", o.timeout)
	}
	t.close(err)
	return t
}

// readDocuments reads and checks the documents of the repository, or the named ones: README.md is
// first, because it installs berth.
func readDocuments(root string, chosen []string) ([]*document, error) {
	names, err := fs.Glob(os.DirFS(root), "*.md")
	if err != nil {
		return nil, err
	}
	more, err := fs.Glob(os.DirFS(root), "docs/*.md")
	if err != nil {
		return nil, err
	}
	names = append(names, more...)
	const first = "README.md"
	at := slices.Index(names, first)
	if at < 0 {
		return nil, fmt.Errorf("no %s in %s", first, root)
	}
	names = slices.Insert(slices.Delete(names, at, at+1), 0, first)
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("no document %s in %s", name, root)
		}
	}
	if len(chosen) > 0 {
		names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(chosen, name) })
	}
	var docs []*document
	var faults []string
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		d, more := parse(name, string(text))
		docs, faults = append(docs, d), append(faults, more...)
		for _, b := range d.commands() {
			if b.notRun == "" {
				continue
			}
			if err := checkMarker(root, b); err != nil {
				faults = append(faults, fmt.Sprintf("%s:%d: %v", name, b.line, err))
			}
		}
	}
	if len(faults) > 0 {
		return nil, errors.New(strings.Join(faults, "\ndocs: "))
	}
	return docs, nil
}
