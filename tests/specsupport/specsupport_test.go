// SPDX-License-Identifier: Apache-2.0

// Package specsupport_test compares docs/spec-support.md with the runtime-spec's own types and
// with the tests. A field without a row, a row without a field, or a test that does not exist is
// a failure. It does not run the tests that the document names.
package specsupport_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// row is one line of a table in the document.
type row struct {
	// paths are those of the first column, expanded.
	paths   []string
	support string
	// tests are pairs of a folder's name and a test in it.
	tests [][2]string
}

var (
	tableRow = regexp.MustCompile("(?m)^\\| (`[^|]*`) \\| ([^|]+) \\|([^|\n]*)\\|$")
	quoted   = regexp.MustCompile("`([^`]+)`")
	folder   = regexp.MustCompile("^`(\\w+)` (.+)$")
)

func readRows(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("../../docs/spec-support.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for _, m := range tableRow.FindAllStringSubmatch(string(text), -1) {
		r := row{support: m[2]}
		for _, q := range quoted.FindAllStringSubmatch(m[1], -1) {
			r.paths = append(r.paths, expand(q[1])...)
		}
		for part := range strings.SplitSeq(strings.TrimSpace(m[3]), "; ") {
			if part == "" {
				continue
			}
			f := folder.FindStringSubmatch(part)
			if f == nil {
				t.Fatalf("%s: %q names no folder and tests", m[1], part)
			}
			for name := range strings.SplitSeq(f[2], ", ") {
				r.tests = append(r.tests, [2]string{f[1], name})
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// expand expands alternatives like a shell: a.{b,c} is a.b and a.c. They cannot be nested.
func expand(path string) []string {
	open, end := strings.IndexByte(path, '{'), strings.IndexByte(path, '}')
	if open < 0 || end < open {
		return []string{path}
	}
	var all []string
	for alternative := range strings.SplitSeq(path[open+1:end], ",") {
		all = append(all, expand(path[:open]+alternative+path[end+1:])...)
	}
	return all
}

// fields lists the leaves below a type that apply to Linux.
func fields(path string, typ reflect.Type) []string {
	element := path
	for {
		switch typ.Kind() {
		case reflect.Slice:
			element += "[]"
			typ = typ.Elem()
			continue
		case reflect.Map:
			path, element = path+".*", element+".*"
			typ = typ.Elem()
			continue
		case reflect.Pointer:
			typ = typ.Elem()
			continue
		case reflect.Struct:
		default:
			return []string{path}
		}
		break
	}
	var all []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		if p := f.Tag.Get("platform"); p != "" && !slices.Contains(strings.Split(p, ","), "linux") {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			all = append(all, fields(element, f.Type)...)
		case path == "":
			all = append(all, fields(name, f.Type)...)
		default:
			all = append(all, fields(element+"."+name, f.Type)...)
		}
	}
	return all
}

func TestEveryFieldHasARow(t *testing.T) {
	missing := map[string]bool{}
	for _, f := range fields("", reflect.TypeFor[specs.Spec]()) {
		missing[f] = true
	}
	if len(missing) < 150 {
		t.Fatalf("only %d fields found", len(missing))
	}
	for _, r := range readRows(t) {
		if slices.Contains(specconv.KnownAnnotations(), r.paths[0]) {
			continue
		}
		for _, p := range r.paths {
			if !missing[p] {
				t.Errorf("%s: is in two rows, or is not a field for Linux", p)
			}
			delete(missing, p)
		}
	}
	for f := range missing {
		t.Errorf("%s has no row", f)
	}
}

func TestEveryAnnotationHasARow(t *testing.T) {
	var listed []string
	for _, r := range readRows(t) {
		listed = append(listed, r.paths...)
	}
	for _, a := range specconv.KnownAnnotations() {
		if !slices.Contains(listed, a) {
			t.Errorf("%s has no row", a)
		}
	}
}

// testFunctions returns the tests by the name of their folder.
func testFunctions(t *testing.T) map[string]map[string]bool {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	all := map[string]map[string]bool{}
	for _, pattern := range []string{"*", "*/*", "*/*/*", "*/*/*/*"} {
		files, err := filepath.Glob("../../" + pattern + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Base(filepath.Dir(file))
			if all[dir] == nil {
				all[dir] = map[string]bool{}
			}
			for _, m := range function.FindAllSubmatch(text, -1) {
				all[dir][string(m[1])] = true
			}
		}
	}
	return all
}

func TestNamedTestsExist(t *testing.T) {
	functions := testFunctions(t)
	rows := readRows(t)
	if len(rows) < 50 {
		t.Fatalf("only %d rows found", len(rows))
	}
	for _, r := range rows {
		if len(r.tests) == 0 && !strings.HasPrefix(r.support, "not yet") {
			t.Errorf("%s: no test", r.paths[0])
		}
		for _, test := range r.tests {
			if !functions[test[0]][test[1]] {
				t.Errorf("%s: there is no %s in a folder %s", r.paths[0], test[1], test[0])
			}
		}
	}
}

func TestExpand(t *testing.T) {
	got := expand("a{1,2}b.{c,d[].e}")
	want := []string{"a1b.c", "a1b.d[].e", "a2b.c", "a2b.d[].e"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
