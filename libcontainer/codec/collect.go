// SPDX-License-Identifier: Apache-2.0

package codec

// ReadAllFaults is [ReadNoticing], but a value of a wrong type does not end it: it is left out, and
// all such faults are returned, in the order of the document. err is set if the document is not
// JSON. Then there may be faults before that.
func ReadAllFaults[T any](document string, fields Fields[T]) (v *T, faults []*Fault, notices []Notice, err error) {
	v = new(T)
	r := &review{text: document, collect: true}
	c := &Coder{text: document, review: r}
	err = c.read(func(c *Coder) error { return wholeObject(c, v, fields) })
	return v, r.faults, r.notices, err
}

// Position returns where in the document the fault is, both counted from one and in characters.
func (f *Fault) Position(document string) (line, column int) { return position(document, f.offset) }

// mark is a place in the document to which the reader can return.
type mark struct{ pos, depth, faults int }

func (c *Coder) mark() mark {
	m := mark{pos: c.pos, depth: c.depth}
	if c.review != nil {
		m.faults = len(c.review.faults)
	}
	return m
}

// begin notes where the value of a field begins.
func (r *review) begin(c *Coder) { c.object.value = c.mark() }

// field ends a field: err is what reading its value has returned.
func (r *review) field(c *Coder, err error) error {
	key := c.object.key
	return r.settle(c, c.object.value, err, func(f error) { _ = InField(f, key) })
}

func (r *review) element(c *Coder, at mark, i int, err error) error {
	return r.settle(c, at, err, func(f error) { _ = inElement(f, i) })
}

func (r *review) member(c *Coder, at mark, key string, err error) error {
	return r.settle(c, at, err, func(f error) { _ = InField(f, key) })
}

// settle keeps a fault of a value and skips the value. Anything else that is wrong remains an error:
// the document is not JSON, and nobody knows how it goes on. name puts the value's name in front of
// the path of a fault.
func (r *review) settle(c *Coder, at mark, err error, name func(error)) error {
	if !r.collect {
		return err
	}
	if f, ok := err.(*Fault); ok && !r.broken { //nolint:errorlint // the coder makes them and never wraps them
		err = r.skip(c, at, f)
	}
	for _, f := range r.faults[at.faults:] {
		name(f)
	}
	return err
}

// skip keeps f, and goes on after the value. If that is not possible, it returns the error that ends
// the review.
func (r *review) skip(c *Coder, at mark, f *Fault) error {
	c.pos, c.depth = at.pos, at.depth
	r.collect = false
	err := c.skip()
	r.collect = true
	if err == nil {
		r.faults = append(r.faults, f)
		return nil
	}
	r.broken = true
	if _, ok := err.(*syntax); ok { //nolint:errorlint // as above
		r.faults = append(r.faults, f)
		return err
	}
	return f // such as a string that is not Unicode text
}
