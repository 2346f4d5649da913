// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"reflect"
	"slices"
	"strings"
)

// Texts is a field with an array of strings. null stands for nil.
func Texts[T ~string](c *Coder, name string, v *[]T) {
	if c.startField(name) {
		c.endField(array(c, v, text[T]))
	}
}

// Numbers is a field with an array of numbers that are not negative.
func Numbers[T ~uint16 | ~uint32 | ~uint64](c *Coder, name string, v *[]T) {
	if c.startField(name) {
		c.endField(array(c, v, unsigned[T]))
	}
}

// Records is a field with an array of objects.
func Records[T any](c *Coder, name string, v *[]T, fields Fields[T]) {
	if c.startField(name) {
		c.endField(RecordsValue(c, v, fields))
	}
}

// RecordsValue is the value of a Records field.
func RecordsValue[T any](c *Coder, v *[]T, fields Fields[T]) error {
	return array(c, v, func(c *Coder, e *T) error { return ObjectValue(c, e, fields) })
}

// StrictRecords is Records for objects that may only have known keys.
func StrictRecords[T any](c *Coder, name string, v *[]T, fields Fields[T]) {
	if c.startField(name) {
		c.endField(array(c, v, func(c *Coder, e *T) error { return StrictValue(c, e, fields) }))
	}
}

// array is an array. null stands for nil. If the same key occurred before, the elements are
// read into the earlier ones, as encoding/json does.
func array[T any](c *Coder, v *[]T, element func(*Coder, *T) error) error {
	if null, err := c.isNull(*v == nil); null || err != nil {
		*v = nil
		return err
	}
	if c.writing {
		return c.writeElements(len(*v), func(i int) error { return element(c, &(*v)[i]) })
	}
	if c.Peek() != '[' {
		return c.mismatch("an array of " + plural(reflect.TypeFor[T]()))
	}
	s := *v
	if s == nil {
		s = make([]T, 0, c.guess())
	}
	n, err := c.elements(func(i int) error {
		if i >= cap(s) {
			s = slices.Grow(s, i+1)
		}
		if i >= len(s) {
			s = s[:i+1]
		}
		return element(c, &s[i])
	})
	if err != nil {
		return err
	}
	if *v = s[:n]; n == 0 {
		*v = []T{}
	}
	return nil
}

// guess returns how many elements the array that begins here may have. For strings it is exact
// (unless they contain commas). Without it a list of 300 system calls would be copied eight
// times, into as many fresh pages. It is bounded, since a document of only commas is not an
// array.
func (c *Coder) guess() int {
	rest := c.text[c.pos+1:]
	if end := strings.IndexByte(rest, ']'); end > 0 && rest[0] != '{' {
		return min(1+strings.Count(rest[:end], ","), 512)
	}
	return 4
}

// elements reads an array and returns how many elements it had.
func (c *Coder) elements(element func(i int) error) (int, error) {
	if err := c.enter(); err != nil {
		return 0, err
	}
	if c.Peek() == ']' {
		c.leave()
		return 0, nil
	}
	for i := 0; ; i++ {
		at := c.mark()
		err := element(i)
		if c.review != nil {
			err = c.review.element(c, at, i, err)
		}
		if err != nil {
			return 0, inElement(err, i)
		}
		switch more, err := c.more(']'); {
		case err != nil:
			return 0, err
		case !more:
			c.leave()
			return i + 1, nil
		}
	}
}

// writeElements writes an array of n elements. An empty array is not written as null.
func (c *Coder) writeElements(n int, element func(i int) error) error {
	c.out = append(c.out, '[')
	for i := range n {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		if err := element(i); err != nil {
			return err
		}
	}
	c.out = append(c.out, ']')
	c.zero = false
	return nil
}

// plural returns the name of values of a Go type in errors.
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
