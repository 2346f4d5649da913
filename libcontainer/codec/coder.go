// SPDX-License-Identifier: Apache-2.0

// Package codec reads and writes JSON. A Go type is described by a function with a line for
// each field, which serves both directions:
//
//	func rootFields(c *codec.Coder, v *specs.Root) {
//		codec.Text(c, "path", &v.Path)
//		codec.Boolean(c, "readonly", &v.Readonly)
//	}
//
// It exists for speed. A command reads a document or two in its life, so what counts is
// the first use, which encoding/json spends on learning the types by reflection. Here
// nothing is to be learned, and strings that are read are slices of the document.
// BenchmarkFirstUse of the packages ocispec and record measures both, in fresh
// processes (`go test -run '^$' -bench FirstUse -benchtime 300x ./libcontainer/codec/ocispec`): a
// config.json of Docker's takes 0.09 ms here and 0.65 ms there, a state.json 0.04 and
// 0.18 ms (the fastest of 300). Because the coder walks the document itself, it also knows
// where an error is, by line, column and field, which encoding/json does not.
//
// It is not a general JSON package. Its invariants, which a fuzz test holds: reading gives
// what encoding/json gives, or both fail, except that a string which is not Unicode text is
// an error here; writing gives a document that reads as the same value, without the fields
// that are zero (encoding/json's omitzero).
package codec

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of arrays and objects, so that a hostile document
// cannot grow the stack without end. It is encoding/json's bound.
const maxDepth = 10000

// Coder walks one document. It reads text from pos on, or appends to out.
type Coder struct {
	text  string
	pos   int
	depth int

	object object

	writing bool
	out     []byte
	// zero says that the value just written is the zero value of its type.
	zero bool
}

// Fault is an error at a place of the document. Path names the field; it is put together
// while the error travels up, so that a document without errors pays nothing for it.
type Fault struct {
	Path, Text string

	offset int
}

func (f *Fault) Error() string {
	if f.Path == "" {
		return f.Text
	}
	return f.Path + ": " + f.Text
}

// syntax is a fault that has no field, since the document is not JSON.
type syntax struct{ Fault }

// Fail is an error about the next value.
func (c *Coder) Fail(text string) error { return c.fail(c.pos, "%s", text) }

func (c *Coder) fail(offset int, format string, args ...any) error {
	return &Fault{offset: offset, Text: fmt.Sprintf(format, args...)}
}

// unexpected tells that the next character is not what JSON wants there.
func (c *Coder) unexpected(wanted string) error {
	f := syntax{Fault{offset: c.pos}}
	if c.pos >= len(c.text) {
		f.Text = "unexpected end of the file, expected " + wanted
		return &f
	}
	r, size := utf8.DecodeRuneInString(c.text[c.pos:])
	if r == utf8.RuneError && size == 1 {
		f.Text = fmt.Sprintf("invalid byte 0x%02x, expected %s", c.text[c.pos], wanted)
	} else {
		f.Text = fmt.Sprintf("invalid character %q, expected %s", r, wanted)
	}
	return &f
}

// mismatch tells that the next value, if it is one, has the wrong type.
func (c *Coder) mismatch(wanted string) error {
	var found string
	switch b := c.Peek(); {
	case b == '{':
		found = "an object"
	case b == '[':
		found = "an array"
	case b == '"':
		found = "a string"
	case b == '-' || '0' <= b && b <= '9':
		found = "a number"
	case b == 't' || b == 'f':
		found = "a boolean"
	case b == 'n':
		found = "null"
	default:
		return c.unexpected("a value")
	}
	return c.fail(c.pos, "expected %s, found %s", wanted, found)
}

// InField puts the key of an object in front of the path of a fault.
func InField(err error, key string) error {
	if f, ok := err.(*Fault); ok { //nolint:errorlint // the coder makes them and never wraps them
		switch {
		case f.Path == "":
			f.Path = key
		case f.Path[0] == '[':
			f.Path = key + f.Path
		default:
			f.Path = key + "." + f.Path
		}
	}
	return err
}

// inElement puts the index of an array in front of the path of a fault.
func inElement(err error, i int) error {
	if f, ok := err.(*Fault); ok { //nolint:errorlint // the coder makes them and never wraps them
		sep := "."
		if f.Path == "" || f.Path[0] == '[' {
			sep = ""
		}
		f.Path = fmt.Sprintf("[%d]%s%s", i, sep, f.Path)
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

// Peek skips white space and returns the next byte without taking it, or 0 at
// the end (a NUL is not JSON either, so the two need no telling apart).
func (c *Coder) Peek() byte {
	for c.pos < len(c.text) {
		switch b := c.text[c.pos]; b {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return b
		}
	}
	return 0
}

// null takes a null if that is the next value.
func (c *Coder) null() (bool, error) {
	if c.Peek() != 'n' {
		return false, nil
	}
	return true, c.word("null")
}

// word takes one of the literal names.
func (c *Coder) word(w string) error {
	for i := range len(w) {
		if c.pos >= len(c.text) || c.text[c.pos] != w[i] {
			return c.unexpected(fmt.Sprintf("%q", w))
		}
		c.pos++
	}
	return nil
}

// enter takes the bracket that begins an object or array.
func (c *Coder) enter() error {
	if c.depth++; c.depth > maxDepth {
		return c.fail(c.pos, "nested more than %d levels deep", maxDepth)
	}
	c.pos++
	return nil
}

// leave takes the bracket that ends it.
func (c *Coder) leave() {
	c.depth--
	c.pos++
}

// key takes a key of an object with its colon.
func (c *Coder) key() (string, error) {
	if c.Peek() != '"' {
		return "", c.unexpected("a key in double quotes")
	}
	k, err := c.quoted()
	if err != nil {
		return "", err
	}
	if c.Peek() != ':' {
		return "", c.unexpected("':'")
	}
	c.pos++
	return k, nil
}

// more takes the comma between two members, or tells that closing is next.
func (c *Coder) more(closing byte) (bool, error) {
	switch c.Peek() {
	case ',':
		c.pos++
		return true, nil
	case closing:
		return false, nil
	}
	return false, c.unexpected(fmt.Sprintf("',' or '%c'", closing))
}

// end makes sure that nothing follows the document.
func (c *Coder) end() error {
	if c.Peek(); c.pos < len(c.text) {
		return c.unexpected("the end of the file")
	}
	return nil
}

// skip takes a value of any type.
func (c *Coder) skip() error {
	var err error
	switch c.Peek() {
	case '{':
		err = c.members(func(string) error { return c.skip() })
	case '[':
		_, err = c.elements(func(int) error { return c.skip() })
	case '"':
		_, err = c.quoted()
	case 't':
		err = c.word("true")
	case 'f':
		err = c.word("false")
	case 'n':
		err = c.word("null")
	default:
		_, err = c.number()
	}
	return err
}
