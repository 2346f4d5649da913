// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"errors"
	"fmt"
)

// Read reads a document that is one object. An error says where it is: "line 3, column 17: …".
// A Fault in it names the field. What could be read before the error is returned too.
func Read[T any](document string, fields Fields[T]) (*T, error) {
	v := new(T)
	return v, ReadValue(document, func(c *Coder) error { return wholeObject(c, v, fields) })
}

func wholeObject[T any](c *Coder, v *T, fields Fields[T]) error {
	if err := c.NotNull("an object"); err != nil {
		return err
	}
	return ObjectValue(c, v, fields)
}

// ReadValue reads a document that is one value of any type. Errors are as in Read.
func ReadValue(document string, value func(*Coder) error) error {
	c := &Coder{text: document}
	return c.read(value)
}

func (c *Coder) read(value func(*Coder) error) error {
	err := value(c)
	if err == nil {
		err = c.end()
	}
	var f *Fault
	if s := (*syntax)(nil); errors.As(err, &s) {
		f = &s.Fault
	} else if !errors.As(err, &f) {
		return err
	}
	line, column := position(c.text, f.offset)
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}

// NotNull refuses a value that is null, which every other function accepts. wanted names the
// type for the error.
func (c *Coder) NotNull(wanted string) error {
	if c.Peek() != 'n' {
		return nil
	}
	begin := c.pos
	err := c.word("null")
	if err == nil {
		c.pos = begin
		err = c.mismatch(wanted)
	}
	return err
}

// Span returns the part of the document that read reads.
func (c *Coder) Span(read func() error) (string, error) {
	c.Peek()
	begin := c.pos
	err := read()
	return c.text[begin:c.pos], err
}

// WriteAll is Write including the fields that are zero.
func WriteAll[T any](v *T, fields Fields[T]) []byte {
	c := &Coder{writing: true, all: true, out: make([]byte, 0, 1024)}
	_ = ObjectValue(c, v, fields)
	return c.out
}

// Write returns v as a document.
func Write[T any](v *T, fields Fields[T]) []byte {
	c := &Coder{writing: true, out: make([]byte, 0, 1024)}
	_ = ObjectValue(c, v, fields) // only reading fails
	return c.out
}
