// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/cmd/internal/cli"
	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
	"github.com/spf13/pflag"
)

func pages(t *testing.T) map[string]string {
	t.Helper()
	support, err := os.ReadFile("../../" + supportFile)
	if err != nil {
		t.Fatal(err)
	}
	all, err := manual(string(support), time.Unix(0, 0).UTC())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// plain undoes the markup, as far as the checks need it.
func plain(text string) string {
	return strings.NewReplacer(`\-`, "-", `\fB`, "", `\fI`, "", `\fP`, "", `\(aq`, "'", `\(ga`, "`", `\e`, `\`, `\&`, "", `\(ha`, "^", `\(ti`, "~").Replace(text)
}

// TestPages: every command and option is in a page, with the sections that it needs.
func TestPages(t *testing.T) {
	all := pages(t)
	root := cli.Tree()
	checkPage(t, all, "berth.8", root, "COMMANDS", "ENVIRONMENT", "FILES")
	n := 2 // berth(8) and berth-bundle(5)
	for _, c := range root.Children {
		if c.Hidden {
			continue
		}
		n++
		checkPage(t, all, pageName(c)+".8", c)
		if !strings.Contains(plain(all["berth.8"]), pageName(c)+"(8)\n"+sentence(c.Short)) {
			t.Errorf("berth(8) does not list %s", c.Name())
		}
	}
	if len(all) != n {
		t.Errorf("%d pages, want %d", len(all), n)
	}
	if _, ok := all["berth-"+libcontainer.BuilderCommand+".8"]; ok {
		t.Error("the hidden command has a manual page")
	}
}

func checkPage(t *testing.T, all map[string]string, name string, c *command.Command, sections ...string) {
	t.Helper()
	text := plain(all[name])
	if strings.Contains(text, "[=") || strings.Contains(text, "[flags]") {
		t.Errorf("%s: has [=…] or [flags]", name)
	}
	for _, section := range append([]string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"}, sections...) {
		if !strings.Contains(text, "\n.SH \""+section+"\"\n") {
			t.Errorf("%s: no section %s", name, section)
		}
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		h := command.Describe(f)
		want := h.Long
		if h.Value != "" {
			want += " " + h.Value
		}
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s: no %s", name, want)
		}
	})
}

// TestBundlePage: it has all annotations and fields.
func TestBundlePage(t *testing.T) {
	text := plain(pages(t)["berth-bundle.5"])
	for _, want := range []string{
		"\n.SH \"ANNOTATIONS\"\n", "\n.TP\nrun.berth.network\nThe container gets network interfaces",
		"\n.TP\nprocess.terminal\nYes: a pty of the container's own devpts.", "\n.TP\nrun.oci.hooks.stdout, run.oci.hooks.stderr\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(text, "](") || strings.Contains(text, "TestConsole") {
		t.Error("there is Markdown, or a test")
	}
	if _, err := bundlePage("## Annotations\n", time.Now()); err == nil {
		t.Error("a document without fields is no error")
	}
}

func TestMarkup(t *testing.T) {
	for text, want := range map[string]string{
		"a `b-c` [d](e.md), f": `a \fBb\-c\fP d, f`,
		"a [b] `c":             "a [b] \\(gac",
		`it's \x`:              `it\(aqs \ex`,
	} {
		if got := inline(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	p := new(page)
	p.text(".a\n  .b\n\nc")
	if got := p.String(); got != "\\&.a\n.PP\n.nf\n.RS 4\n\\&.b\n.RE\n.fi\n.PP\nc\n" {
		t.Errorf("%q", got)
	}
	if got := synopsis("mounts [flags] add|remove CONTAINER [FILE...]"); got != `\fBmounts\fP [\fIOPTIONS\fP] \fBadd|remove\fP \fICONTAINER\fP [\fIFILE\fP...]` {
		t.Error(got)
	}
}

// TestLint: man and mandoc understand the pages.
func TestLint(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for name, text := range pages(t) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	mandoc, err := exec.LookPath("mandoc")
	if err == nil {
		// Style is a matter of taste: it dislikes spaces in SEE ALSO, for example.
		if out, err := exec.Command(mandoc, append([]string{"-T", "lint", "-W", "warning"}, files...)...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("mandoc: %v\n%s", err, out)
		}
	}
	// A line that cannot be adjusted has a long name, and nothing to break it at.
	man, merr := exec.LookPath("groff")
	if merr == nil {
		for _, file := range files {
			cmd := exec.Command(man, "-man", "-ww", "-Wbreak", "-Kutf8", "-Tutf8", "-z", file)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Run(); err != nil || stderr.Len() > 0 {
				t.Errorf("groff: %v\n%s", err, stderr.Bytes())
			}
		}
	}
	if (err != nil || merr != nil) && os.Getenv("CI") != "" {
		t.Errorf("%v, %v", err, merr)
	}
}

// TestScripts: berth has the scripts that cobra generates. `go generate ./cmd/internal/scripts`
// updates them.
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	if err := writeScripts(dir); err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadDir(dir)
	if err != nil || len(made) != 4 {
		t.Fatalf("%d scripts, %v", len(made), err)
	}
	for _, script := range made {
		want, err := os.ReadFile(filepath.Join(dir, script.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("../internal/scripts", script.Name()))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s differs from what cobra makes (%v)", script.Name(), err)
		}
	}
}
