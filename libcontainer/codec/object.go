// SPDX-License-Identifier: Apache-2.0

package codec

import "strings"

// Fields describes a Go type: it names the fields of v, one call for each.
//
// An object is read by passes over the fields. A pass takes the keys that come in the
// order of the fields, which is how documents are written, so that one is enough for
// nearly all of them.
type Fields[T any] = func(c *Coder, v *T)

// object is the one that is read or written.
type object struct {
	// key is the next of the document, "" when there is no more.
	key string
	// ask says that a field other than key may be meant: all are written, and fold takes a
	// key that differs in case.
	ask, fold bool
	// taken says that the pass has found a field for a key, end that there are no more.
	taken, end bool
	// begin and before are where the object and the field begin in what is written.
	begin, before int
	err           error
}

// here begins a field. It says whether the field is to be read or written now.
func (c *Coder) here(name string) bool {
	return (c.object.key == name || c.object.ask) && c.take(name)
}

func (c *Coder) take(name string) bool {
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
	return true
}

// done ends a field. One that is zero is not written.
func (c *Coder) done(err error) {
	o := &c.object
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
	o.key, o.ask, o.fold, o.end, o.err = "", false, false, true, err
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
	key, err := c.key()
	if err != nil {
		c.stop(err)
		return
	}
	o := &c.object
	o.key, o.ask, o.fold = key, false, false
}

// ObjectValue is the value that Object has. One that is read comes on top of what *v has,
// as with encoding/json when a key stands twice. Unknown keys are ignored: the runtime-spec
// demands it (config.md, Extensibility).
//
// Here as elsewhere the work is in functions that are not generic: a copy of them for each
// of forty types would cost 100 KB of the binary and its page faults.
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

// StrictValue is ObjectValue for keys that must be known, exactly as they are written.
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

// readFields reads an object. A key that differs in case from a field's is taken when none
// is exact, unless strict: encoding/json, hence runc, has always done so.
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
	c.nextKey()
	for o := &c.object; !o.end; {
		o.taken = false
		pass()
		switch {
		case o.taken || o.end:
		case strict:
			c.stop(InField(c.Fail("unknown key"), o.key))
		case !o.fold:
			o.ask, o.fold = true, true
		default:
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
	c.object = object{ask: true, begin: len(c.out)}
	pass()
	o := c.object
	c.object = outer
	c.zero = len(c.out) == o.begin
	c.out = append(c.out, '}')
	return o.err
}

// Value is a field that value reads or writes.
func Value[T any](c *Coder, name string, v *T, value func(*Coder, *T) error) {
	if c.here(name) {
		c.done(value(c, v))
	}
}

// Object is an object that is part of the Go type.
func Object[T any](c *Coder, name string, v *T, fields Fields[T]) {
	if c.here(name) {
		c.done(ObjectValue(c, v, fields))
	}
}

// Record is an object behind a pointer, null being nil.
func Record[T any](c *Coder, name string, v **T, fields Fields[T]) {
	if c.here(name) {
		c.done(RecordValue(c, v, fields))
	}
}

// RecordValue is the value that Record has.
func RecordValue[T any](c *Coder, v **T, fields Fields[T]) error {
	return optional(c, v, func(c *Coder, v *T) error { return ObjectValue(c, v, fields) })
}

// StrictRecord is a Record of known keys. It refuses null.
func StrictRecord[T any](c *Coder, name string, v **T, fields Fields[T]) {
	if !c.here(name) {
		return
	}
	if c.writing {
		c.done(RecordValue(c, v, fields))
		return
	}
	*v = new(T)
	c.done(StrictValue(c, *v, fields))
}

// optional is any value behind a pointer, null being nil.
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

// isNull reads null, or writes it for what is nil.
func (c *Coder) isNull(isNil bool) (bool, error) {
	if !c.writing {
		return c.null()
	}
	if isNil {
		c.out, c.zero = append(c.out, "null"...), true
	}
	return isNil, nil
}
