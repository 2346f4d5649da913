// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"reflect"
	"slices"
	"strings"
)

// field is one key of a JSON object and what to do with its value. A table of
// them describes a Go type. The functions capture nothing, so that a table is
// data of the linker and costs nothing at start-up.
type field[T any] struct {
	name   string
	decode func(*decoder, *T) error
}

// object takes an object into *v, on top of what *v has, as encoding/json does
// when a key stands twice. Unknown keys are ignored: the runtime-spec demands
// it (config.md, Extensibility).
//
// The loop is in members, which is not generic: a copy of it for each of forty
// types would cost 100 KB of the binary and its page faults.
func object[T any](d *decoder, v *T, fields []field[T]) error {
	switch d.peek() {
	case '{':
	case 'n':
		return d.word("null")
	default:
		return d.mismatch("an object")
	}
	next := 0
	return d.members(func(key string) (string, error) {
		i := find(len(fields), next, key, func(i int) string { return fields[i].name })
		if i < 0 {
			return key, d.skip()
		}
		next = i + 1
		return fields[i].name, fields[i].decode(d, v)
	})
}

// members takes an object; member takes the value of one key, and returns how
// the schema spells the key.
func (d *decoder) members(member func(key string) (string, error)) error {
	if err := d.enter(); err != nil {
		return err
	}
	if d.peek() == '}' {
		d.leave()
		return nil
	}
	for {
		key, err := d.key()
		if err != nil {
			return err
		}
		if key, err = member(key); err != nil {
			return inField(err, key)
		}
		switch more, err := d.more('}'); {
		case err != nil:
			return err
		case !more:
			d.leave()
			return nil
		}
	}
}

// find is the index below n whose name is the key, or -1. It looks from next on,
// since documents are written in the order of the types. A key that differs in
// case is taken when none is exact: encoding/json, hence runc, has always done so.
func find(n, next int, key string, name func(int) string) int {
	for i := next; i < n; i++ {
		if name(i) == key {
			return i
		}
	}
	for i := range min(next, n) {
		if name(i) == key {
			return i
		}
	}
	for i := range n {
		if strings.EqualFold(name(i), key) {
			return i
		}
	}
	return -1
}

// record takes an object into a pointer, null being nil.
func record[T any](d *decoder, v **T, fields []field[T]) error {
	if null, err := d.null(); null || err != nil {
		*v = nil
		return err
	}
	if *v == nil {
		*v = new(T)
	}
	return object(d, *v, fields)
}

// optional takes a scalar into a pointer, null being nil.
func optional[T any](d *decoder, v **T, scalar func(*decoder, *T) error) error {
	if null, err := d.null(); null || err != nil {
		*v = nil
		return err
	}
	if *v == nil {
		*v = new(T)
	}
	return scalar(d, *v)
}

// array takes an array, null being nil. When the same key stood before, the
// elements are decoded on top of the earlier ones, as encoding/json does.
func array[T any](d *decoder, v *[]T, element func(*decoder, *T) error) error {
	switch d.peek() {
	case '[':
	case 'n':
		*v = nil
		return d.word("null")
	default:
		return d.mismatch("an array of " + plural(reflect.TypeFor[T]()))
	}
	s := *v
	if s == nil {
		s = make([]T, 0, d.guess())
	}
	n, err := d.elements(func(i int) error {
		if i >= cap(s) {
			s = slices.Grow(s, i+1)
		}
		if i >= len(s) {
			s = s[:i+1]
		}
		return element(d, &s[i])
	})
	if err != nil {
		return err
	}
	if *v = s[:n]; n == 0 {
		*v = []T{}
	}
	return nil
}

// guess is how many elements the array that begins here may have. For strings it
// is exact (but for commas in them), since a list of 300 system calls would
// otherwise be copied eight times, into as many fresh pages; bounded, since a
// document of only commas is not an array.
func (d *decoder) guess() int {
	rest := d.text[d.pos+1:]
	if end := strings.IndexByte(rest, ']'); end > 0 && rest[0] != '{' {
		return min(1+strings.Count(rest[:end], ","), 512)
	}
	return 4
}

// elements takes an array and returns how many elements it had.
func (d *decoder) elements(element func(i int) error) (int, error) {
	if err := d.enter(); err != nil {
		return 0, err
	}
	if d.peek() == ']' {
		d.leave()
		return 0, nil
	}
	for i := 0; ; i++ {
		if err := element(i); err != nil {
			return 0, inElement(err, i)
		}
		switch more, err := d.more(']'); {
		case err != nil:
			return 0, err
		case !more:
			d.leave()
			return i + 1, nil
		}
	}
}

// plural is how an error calls values of a Go type.
func plural(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "strings"
	case reflect.Struct:
		return "objects"
	default:
		return "integers"
	}
}

// records takes an array of objects.
func records[T any](d *decoder, v *[]T, fields []field[T]) error {
	return array(d, v, func(d *decoder, e *T) error { return object(d, e, fields) })
}

// texts takes an array of strings.
func texts[T ~string](d *decoder, v *[]T) error { return array(d, v, text[T]) }

// table takes an object of free keys, null being nil.
func table[V any](d *decoder, m *map[string]V, value func(*decoder, *V) error) error {
	switch d.peek() {
	case '{':
	case 'n':
		*m = nil
		return d.word("null")
	default:
		return d.mismatch("an object")
	}
	if *m == nil {
		*m = make(map[string]V)
	}
	return d.members(func(key string) (string, error) {
		var v V
		err := value(d, &v)
		(*m)[key] = v
		return key, err
	})
}
