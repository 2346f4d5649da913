// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/nearest"
)

// Notice is something in a document that is no error, but probably a mistake.
type Notice struct {
	// Line and Column are counted from one, and in characters.
	Line, Column int
	Text         string
}

func (n Notice) String() string {
	return fmt.Sprintf("line %d, column %d: %s", n.Line, n.Column, n.Text)
}

// ReadNoticing is [Read], and also returns which keys are unknown, or occur twice in an object.
func ReadNoticing[T any](document string, fields Fields[T]) (v *T, notices []Notice, err error) {
	notices, err = ReadValueNoticing(document, func(c *Coder) error {
		v = new(T)
		return wholeObject(c, v, fields)
	})
	return v, notices, err
}

// ReadValueNoticing is [ReadValue] with notices. A document in which everything is in its usual
// order has none. Any other is read again: value is called twice, and must begin anew each time.
func ReadValueNoticing(document string, value func(*Coder) error) ([]Notice, error) {
	c := &Coder{text: document}
	if err := c.read(value); err != nil || !c.odd {
		return nil, err
	}
	r := &review{text: document}
	c = &Coder{text: document, review: r}
	err := c.read(value)
	return r.notices, err
}

// Skipped are fields that are known, but of no interest.
func Skipped(c *Coder, names ...string) {
	if c.writing {
		return
	}
	for _, name := range names {
		if c.startField(name) {
			c.endField(c.skip())
		}
	}
}

// review finds out what is wrong with the keys of a document.
type review struct {
	text    string
	notices []Notice
	// key is the offset of the key that was read last. keys are those of the object.
	key  int
	keys map[string]bool
	// collect is set if the review goes on after a value of a wrong type. faults are those it has
	// met, and each has the part of its path that has been left.
	// broken is set if there is no way to go on after one.
	collect, broken bool
	faults          []*Fault
}

// object begins an object. The function that it returns ends it.
func (r *review) object() (end func()) {
	outer := r.keys
	r.keys = make(map[string]bool)
	return func() { r.keys = outer }
}

func (r *review) seen(key string, begin int) {
	if r.key = begin; r.keys[key] {
		r.add(fmt.Sprintf("the key %q occurs twice in the object, and its last value counts", key))
	}
	r.keys[key] = true
}

// unknown notes the key that c has just read.
func (r *review) unknown(c *Coder, pass func()) {
	var known []string
	c.object.known = &known
	pass()
	c.object.known = nil
	r.add(fmt.Sprintf("unknown key %q is ignored%s", c.object.key, nearest.Hint(c.object.key, known)))
}

func (r *review) add(text string) {
	const enough = 20
	if len(r.notices) < enough {
		line, column := position(r.text, r.key)
		r.notices = append(r.notices, Notice{line, column, text})
	}
}
