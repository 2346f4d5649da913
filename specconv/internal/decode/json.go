// SPDX-License-Identifier: Apache-2.0

// Package decode reads the runtime-spec's JSON documents into the types of
// specs-go.
//
// It exists for speed. A runtime reads one document in its life, so what
// counts is the first use: encoding/json then spends about a millisecond on
// learning the types by reflection, a fifth of a container's start. Here the
// types are tables that the linker lays out, and strings are slices of the
// document. Because it walks the document itself, it can also say where an
// error is, by line, column and field, which encoding/json cannot.
//
// It is not a general JSON package. Its invariant: for the Linux part of a
// document it gives what encoding/json gives, or both fail (a fuzz test holds
// that), but for strings that are no text, which are an error here; the parts of other platforms are skipped, as the runtime-spec wants
// of what a runtime does not know.
package decode

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of arrays and objects, so that a hostile document
// cannot grow the stack without end. It is encoding/json's bound.
const maxDepth = 10000

// decoder walks one document.
type decoder struct {
	text  string
	pos   int
	depth int
	// process is the text of the document's process, once it has been read.
	process string
}

// fault is an error at a place of the document. The path is put together while
// it travels up, so that a document without errors pays nothing for it.
type fault struct {
	offset int
	path   string
	text   string
}

func (f *fault) Error() string {
	if f.path == "" {
		return f.text
	}
	return f.path + ": " + f.text
}

// syntax is a fault that has no field, since the document is not JSON.
type syntax struct{ fault }

func (d *decoder) fail(offset int, format string, args ...any) error {
	return &fault{offset: offset, text: fmt.Sprintf(format, args...)}
}

// unexpected tells that the next character is not what JSON wants there.
func (d *decoder) unexpected(wanted string) error {
	f := syntax{fault{offset: d.pos}}
	if d.pos >= len(d.text) {
		f.text = "unexpected end of the file, expected " + wanted
		return &f
	}
	r, size := utf8.DecodeRuneInString(d.text[d.pos:])
	if r == utf8.RuneError && size == 1 {
		f.text = fmt.Sprintf("invalid byte 0x%02x, expected %s", d.text[d.pos], wanted)
	} else {
		f.text = fmt.Sprintf("invalid character %q, expected %s", r, wanted)
	}
	return &f
}

// mismatch tells that the next value, if it is one, has the wrong type.
func (d *decoder) mismatch(wanted string) error {
	var found string
	switch c := d.peek(); {
	case c == '{':
		found = "an object"
	case c == '[':
		found = "an array"
	case c == '"':
		found = "a string"
	case c == '-' || '0' <= c && c <= '9':
		found = "a number"
	case c == 't' || c == 'f':
		found = "a boolean"
	case c == 'n':
		found = "null"
	default:
		return d.unexpected("a value")
	}
	return d.fail(d.pos, "expected %s, found %s", wanted, found)
}

// inField puts the key of an object in front of the path of a fault.
func inField(err error, key string) error {
	if f, ok := err.(*fault); ok { //nolint:errorlint // the decoder makes them and never wraps them
		switch {
		case f.path == "":
			f.path = key
		case f.path[0] == '[':
			f.path = key + f.path
		default:
			f.path = key + "." + f.path
		}
	}
	return err
}

// inElement puts the index of an array in front of the path of a fault.
func inElement(err error, i int) error {
	if f, ok := err.(*fault); ok { //nolint:errorlint // the decoder makes them and never wraps them
		sep := "."
		if f.path == "" || f.path[0] == '[' {
			sep = ""
		}
		f.path = fmt.Sprintf("[%d]%s%s", i, sep, f.path)
	}
	return err
}

// position is the line and the column, both from one and in characters, of an
// offset.
func position(text string, offset int) (line, column int) {
	before := text[:offset]
	return 1 + strings.Count(before, "\n"),
		1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

// peek skips white space and returns the next byte without taking it, or 0 at
// the end (a NUL is not JSON either, so the two need no telling apart).
func (d *decoder) peek() byte {
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

// null takes a null if that is the next value.
func (d *decoder) null() (bool, error) {
	if d.peek() != 'n' {
		return false, nil
	}
	return true, d.word("null")
}

// word takes one of the literal names.
func (d *decoder) word(w string) error {
	for i := range len(w) {
		if d.pos >= len(d.text) || d.text[d.pos] != w[i] {
			return d.unexpected(fmt.Sprintf("%q", w))
		}
		d.pos++
	}
	return nil
}

// enter takes the bracket that begins an object or array.
func (d *decoder) enter() error {
	if d.depth++; d.depth > maxDepth {
		return d.fail(d.pos, "nested more than %d levels deep", maxDepth)
	}
	d.pos++
	return nil
}

// leave takes the bracket that ends it.
func (d *decoder) leave() {
	d.depth--
	d.pos++
}

// key takes a key of an object with its colon.
func (d *decoder) key() (string, error) {
	if d.peek() != '"' {
		return "", d.unexpected("a key in double quotes")
	}
	k, err := d.quoted()
	if err != nil {
		return "", err
	}
	if d.peek() != ':' {
		return "", d.unexpected("':'")
	}
	d.pos++
	return k, nil
}

// more takes the comma between two members, or tells that closing is next.
func (d *decoder) more(closing byte) (bool, error) {
	switch d.peek() {
	case ',':
		d.pos++
		return true, nil
	case closing:
		return false, nil
	}
	return false, d.unexpected(fmt.Sprintf("',' or '%c'", closing))
}

// end makes sure that nothing follows the document.
func (d *decoder) end() error {
	if d.peek(); d.pos < len(d.text) {
		return d.unexpected("the end of the file")
	}
	return nil
}

// skip takes a value of any type.
func (d *decoder) skip() error {
	var err error
	switch d.peek() {
	case '{':
		err = d.members(func(key string) (string, error) { return key, d.skip() })
	case '[':
		_, err = d.elements(func(int) error { return d.skip() })
	case '"':
		_, err = d.quoted()
	case 't':
		err = d.word("true")
	case 'f':
		err = d.word("false")
	case 'n':
		err = d.word("null")
	default:
		_, err = d.number()
	}
	return err
}
