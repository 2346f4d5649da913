// SPDX-License-Identifier: Apache-2.0

// Package codec reads and writes JSON. A Go type is described by a function with a line for
// each field, which serves both directions:
//
//	func rootFields(c *codec.Coder, v *specs.Root) {
//		codec.Text(c, "path", &v.Path)
//		codec.Boolean(c, "readonly", &v.Readonly)
//	}
//
// It exists for speed. A command reads only one or two documents, so the first use counts, and
// encoding/json spends that on learning the types by reflection. Here nothing has to be
// learned, and strings that are read are slices of the document. BenchmarkFirstUse in the
// packages ocispec and record measures both, in fresh processes (`go test -run '^$' -bench
// FirstUse -benchtime 300x ./libcontainer/codec/ocispec`): a config.json from Docker takes 0.09
// ms here and 0.65 ms there, a state.json 0.04 and 0.18 ms (the fastest of 300). Code generated
// by easyjson is as fast, but that would be 9,900 lines for copies of specs-go's types, and 2
// MB of the binary, as it links net/http. Because the coder walks through the document itself,
// it also knows where an error is, by line, column and field. Neither of the others does.
// column and field, which neither of them does.
//
// It is not a general JSON package. Its invariants, which a fuzz test checks: reading returns
// what encoding/json returns, or both fail, except that a string that is not Unicode text is an
// error here; writing makes a document that reads as the same value, without the fields that
// are zero (encoding/json's omitzero).
package codec

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of arrays and objects, so that a hostile document cannot make the
// stack grow without end. It is encoding/json's bound.
const maxDepth = 10000

// Coder walks through one document. It reads text from pos on, or appends to out.
type Coder struct {
	text  string
	pos   int
	depth int

	object object

	writing bool
	out     []byte
	// zero is set if the value just written is the zero value of its type. all is set if zero
	// values are written as well.
	zero, all bool
}

// Fault is an error at a place in the document. Path names the field. It is put together while
// the error is returned, so a document without errors does not pay for it.
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

// Fail returns an error about the next value.
func (c *Coder) Fail(text string) error { return c.fail(c.pos, "%s", text) }

func (c *Coder) fail(offset int, format string, args ...any) error {
	return &Fault{offset: offset, Text: fmt.Sprintf(format, args...)}
}

// unexpected returns an error: the next character is not what JSON requires there.
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

// mismatch returns an error: the next value, if it is one, has the wrong type.
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

// position returns the line and the column of an offset, both counted from one and in
// characters.
func position(text string, offset int) (line, column int) {
	before := text[:offset]
	return 1 + strings.Count(before, "\n"),
		1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

// Peek skips white space and returns the next byte without consuming it, or 0 at the end. (A
// NUL is not JSON either, so the two need not be distinguished.)
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

// null consumes a null if that is the next value.
func (c *Coder) null() (bool, error) {
	if c.Peek() != 'n' {
		return false, nil
	}
	return true, c.word("null")
}

// word consumes one of the literal names.
func (c *Coder) word(w string) error {
	for i := range len(w) {
		if c.pos >= len(c.text) || c.text[c.pos] != w[i] {
			return c.unexpected(fmt.Sprintf("%q", w))
		}
		c.pos++
	}
	return nil
}

// enter consumes the bracket that begins an object or array.
func (c *Coder) enter() error {
	if c.depth++; c.depth > maxDepth {
		return c.fail(c.pos, "nested more than %d levels deep", maxDepth)
	}
	c.pos++
	return nil
}

// leave consumes the bracket that ends it.
func (c *Coder) leave() {
	c.depth--
	c.pos++
}

// key consumes a key of an object with its colon.
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

// more consumes the comma between two members, or reports that closing is next.
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

// end checks that nothing follows the document.
func (c *Coder) end() error {
	if c.Peek(); c.pos < len(c.text) {
		return c.unexpected("the end of the file")
	}
	return nil
}

// skip consumes a value of any type.
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
