// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed tables
var tables embed.FS

// field has the values for one part of config.json.
type field struct {
	// path says where a value is set: a name for each level, and [] to append; or * if the value
	// is an object of such paths.
	path string
	// v1 is for limits that every machine only has in cgroup v1 hierarchies. nouser excludes user
	// namespaces. alone excludes combinations.
	v1, nouser, alone bool
	good, bad         []value
}

type value struct {
	name, text string
	bad        bool
}

// readFields reads the tables of config.json.
func readFields() ([]*field, error) {
	var all []*field
	names, err := fs.Glob(tables, "tables/config-*")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := tables.ReadFile(name)
		if err != nil {
			return nil, err
		}
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			line = strings.TrimRight(line, "\n")
			if line == "" || line[0] == '#' {
				continue
			}
			if all, err = readLine(all, line); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, number, err)
			}
		}
	}
	return all, nil
}

// readLine reads "== PATH ATTRIBUTE...", "+[NAME] JSON" for a correct value, or "-[NAME] JSON"
// for a mistake.
func readLine(all []*field, line string) ([]*field, error) {
	if after, ok := strings.CutPrefix(line, "== "); ok {
		words := strings.Fields(after)
		f := &field{path: words[0]}
		for _, w := range words[1:] {
			switch w {
			case "v1":
				f.v1 = true
			case "nouser":
				f.nouser = true
			case "alone":
				f.alone = true
			default:
				return nil, fmt.Errorf("unknown attribute %q", w)
			}
		}
		return append(all, f), nil
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("a value before the first field")
	}
	f := all[len(all)-1]
	name, text, ok := strings.Cut(line[1:], " ")
	if !ok || line[0] != '+' && line[0] != '-' {
		return nil, fmt.Errorf("neither a field nor a value")
	}
	if !json.Valid([]byte(text)) {
		return nil, fmt.Errorf("not JSON: %s", text)
	}
	v := value{f.path + "=" + text, text, line[0] == '-'}
	if name != "" {
		v.name = f.path + ":" + name
	}
	if line[0] == '+' {
		f.good = append(f.good, v)
	} else {
		f.bad = append(f.bad, v)
	}
	return all, nil
}

// apply sets the field in a config to a value.
func (f *field) apply(config map[string]any, v value) error {
	parsed, err := decode(v.text)
	if err != nil {
		return err
	}
	if f.path != "*" {
		return assign(config, f.path, parsed)
	}
	object, ok := parsed.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: not an object of paths", v.name)
	}
	paths := make([]string, 0, len(object))
	for path := range object {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		if err := assign(config, path, object[path]); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
	}
	return nil
}

// paths returns the paths that a value changes, without the [] for appending.
func (f *field) paths(v value) ([]string, error) {
	if f.path != "*" {
		return []string{strings.TrimRight(f.path, "[]*")}, nil
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(v.text), &object); err != nil {
		return nil, fmt.Errorf("%s: %w", v.name, err)
	}
	var paths []string
	for path := range object {
		paths = append(paths, strings.TrimRight(path, "[]*"))
	}
	return paths, nil
}

// absent is the value that removes a field.
const absent = "@absent"

// assign sets the value at the path. A path ends with [] to append to a list, and with []* to
// append several elements.
func assign(config map[string]any, path string, v any) error {
	levels := strings.Split(path, ".")
	at := config
	for _, level := range levels[:len(levels)-1] {
		next, ok := at[level].(map[string]any)
		if !ok {
			if at[level] != nil {
				return fmt.Errorf("%s: %s is not an object", path, level)
			}
			next = map[string]any{}
			at[level] = next
		}
		at = next
	}
	last := levels[len(levels)-1]
	list, isList := strings.CutSuffix(last, "[]")
	several, isSeveral := strings.CutSuffix(last, "[]*")
	switch {
	case isList:
		old, _ := at[list].([]any)
		at[list] = append(old, v)
	case isSeveral:
		old, _ := at[several].([]any)
		values, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s: not a list", path)
		}
		at[several] = append(old, values...)
	case v == absent:
		delete(at, last)
	default:
		at[last] = v
	}
	return nil
}

// decode keeps numbers as they are written.
func decode(text string) (any, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}
