// SPDX-License-Identifier: Apache-2.0

package codec

import "strings"

// Fields describes a Go type: it names the fields of v, with one call for each.
//
// An object is read by passes over the fields. A pass takes the keys that come in the order of
// the fields. Documents are written in that order, so one pass is enough for nearly all of
// them.
type Fields[T any] = func(c *Coder, v *T)

// object is the object that is being read or written.
type object struct {
	// key is the next key in the document; "" if there are no more.
	key string
	// tryAll is set if fields with another name than key may match: all of them when writing,
	// and with fold those that differ from key only in case.
	tryAll, fold bool
	// taken is set if the pass has found a field for a key, and end if there are no more keys.
	taken, end bool
	// begin and before are where the object and the field begin in the output.
	begin, before int
	err           error
	// known collects the names of the fields, for a review.
	known *[]string
	// value is where the value of the field begins, for a review that goes on after a fault.
	value mark
}

// startField begins a field. It reports whether the field is to be read or written now.
func (c *Coder) startField(name string) bool {
	if c.object.known != nil {
		*c.object.known = append(*c.object.known, name)
		return false
	}
	return (c.object.key == name || c.object.tryAll) && c.takeField(name)
}

func (c *Coder) takeField(name string) bool {
	o := &c.object
	switch {
	case c.writing:
		if o.before = len(c.out); o.before > o.begin {
			c.out = append(c.out, ',')
		}
		c.writeText(name)
		c.out = append(c.out, ':')
	case o.end || o.fold && !strings.EqualFold(o.key, name):
		return false
	}
	o.key, o.taken = name, true
	if c.review != nil {
		c.review.begin(c)
	}
	return true
}

// endField ends a field. One that is zero is not written.
func (c *Coder) endField(err error) {
	o := &c.object
	if c.review != nil {
		err = c.review.field(c, err)
	}
	switch {
	case err != nil:
		c.stop(InField(err, o.key))
	case !c.writing:
		c.next()
	case c.zero && !c.all:
		c.out = c.out[:o.before]
	}
}

// stop ends the object.
func (c *Coder) stop(err error) {
	o := &c.object
	o.key, o.tryAll, o.fold, o.end, o.err = "", false, false, true, err
}

// next reads the key after a value.
func (c *Coder) next() {
	more, err := c.more('}')
	if err != nil {
		c.stop(err)
		return
	}
	if !more {
		c.leave()
		c.stop(nil)
		return
	}
	c.nextKey()
}

func (c *Coder) nextKey() {
	c.Peek()
	begin := c.pos
	key, err := c.key()
	if err != nil {
		c.stop(err)
		return
	}
	o := &c.object
	o.key, o.tryAll, o.fold = key, false, false
	if c.review != nil {
		c.review.seen(key, begin)
	}
}

// ObjectValue is the value of an Object field. It is read into *v without clearing that first,
// as with encoding/json if a key occurs twice. Unknown keys are ignored, as the runtime-spec
// demands (config.md, Extensibility).
//
// As elsewhere in the package, the work is done in functions that are not generic: a copy of
// them for each of forty types would cost 100 KB of the binary and its page faults.
func ObjectValue[T any](c *Coder, v *T, fields Fields[T]) error {
	return c.objectValue(func() { fields(c, v) })
}

func (c *Coder) objectValue(pass func()) error {
	if c.writing {
		return c.writeFields(pass)
	}
	switch c.Peek() {
	case '{':
		return c.readFields(false, pass)
	case 'n':
		return c.word("null")
	default:
		return c.mismatch("an object")
	}
}

// StrictValue is ObjectValue for an object whose keys must be known, with exactly the same
// spelling.
func StrictValue[T any](c *Coder, v *T, fields Fields[T]) error {
	return c.strictValue(func() { fields(c, v) })
}

func (c *Coder) strictValue(pass func()) error {
	switch {
	case c.writing:
		return c.writeFields(pass)
	case c.Peek() != '{':
		return c.mismatch("an object")
	default:
		return c.readFields(true, pass)
	}
}

// readFields reads an object. A key that differs from a field's name only in case is accepted
// if none matches exactly, unless strict: encoding/json, and so runc, has always done so.
func (c *Coder) readFields(strict bool, pass func()) error {
	if err := c.enter(); err != nil {
		return err
	}
	if c.Peek() == '}' {
		c.leave()
		return nil
	}
	outer := c.object
	c.object = object{}
	if c.review != nil {
		defer c.review.object()()
	}
	c.nextKey()
	for o := &c.object; !o.end; {
		o.taken = false
		pass()
		if o.end {
			break
		}
		c.odd = true
		switch {
		case o.taken:
		case strict:
			c.stop(InField(c.Fail("unknown key"), o.key))
		case !o.fold:
			o.tryAll, o.fold = true, true
		default:
			if c.review != nil {
				c.review.unknown(c, pass)
			}
			if err := c.skip(); err != nil {
				c.stop(InField(err, o.key))
			} else {
				c.next()
			}
		}
	}
	err := c.object.err
	c.object = outer
	return err
}

// writeFields writes an object. It is zero if all its fields are.
func (c *Coder) writeFields(pass func()) error {
	c.out = append(c.out, '{')
	outer := c.object
	c.object = object{tryAll: true, begin: len(c.out)}
	pass()
	o := c.object
	c.object = outer
	c.zero = len(c.out) == o.begin
	c.out = append(c.out, '}')
	return o.err
}

// Value is a field that value reads or writes.
func Value[T any](c *Coder, name string, v *T, value func(*Coder, *T) error) {
	if c.startField(name) {
		c.endField(value(c, v))
	}
}

// Object is a field with an object that is part of the Go type.
func Object[T any](c *Coder, name string, v *T, fields Fields[T]) {
	if c.startField(name) {
		c.endField(ObjectValue(c, v, fields))
	}
}

// Record is a field with an object behind a pointer. null stands for nil.
func Record[T any](c *Coder, name string, v **T, fields Fields[T]) {
	if c.startField(name) {
		c.endField(RecordValue(c, v, fields))
	}
}

// RecordValue is the value of a Record field.
func RecordValue[T any](c *Coder, v **T, fields Fields[T]) error {
	return optional(c, v, func(c *Coder, v *T) error { return ObjectValue(c, v, fields) })
}

// StrictRecord is a Record with only known keys. It refuses null.
func StrictRecord[T any](c *Coder, name string, v **T, fields Fields[T]) {
	if !c.startField(name) {
		return
	}
	if c.writing {
		c.endField(RecordValue(c, v, fields))
		return
	}
	*v = new(T)
	c.endField(StrictValue(c, *v, fields))
}

// optional is any value behind a pointer. null stands for nil.
func optional[T any](c *Coder, v **T, value func(*Coder, *T) error) error {
	null, err := c.isNull(*v == nil)
	if null || err != nil {
		*v = nil
		return err
	}
	if *v == nil {
		*v = new(T)
	}
	err = value(c, *v)
	c.zero = false
	return err
}

// isNull reads null, or writes it for a value that is nil.
func (c *Coder) isNull(isNil bool) (bool, error) {
	if !c.writing {
		return c.null()
	}
	if isNil {
		c.out, c.zero = append(c.out, "null"...), true
	}
	return isNil, nil
}
