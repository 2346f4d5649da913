// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"maps"
	"slices"
)

// TextMap is a field with an object of arbitrary keys and strings. null stands for nil. It is
// written in the order of the keys.
func TextMap(c *Coder, name string, m *map[string]string) {
	if c.startField(name) {
		c.endField(table(c, m, text[string]))
	}
}

// ObjectMap is a TextMap of objects.
func ObjectMap[V any](c *Coder, name string, m *map[string]V, fields Fields[V]) {
	if c.startField(name) {
		c.endField(table(c, m, func(c *Coder, v *V) error { return ObjectValue(c, v, fields) }))
	}
}

// Set is a field with an object of which only the keys matter.
func Set(c *Coder, name string, m *map[string]struct{}) {
	ObjectMap(c, name, m, func(*Coder, *struct{}) {})
}

// members reads an object of arbitrary keys. value reads the value of one.
func (c *Coder) members(value func(key string) error) error {
	if err := c.enter(); err != nil {
		return err
	}
	if c.Peek() == '}' {
		c.leave()
		return nil
	}
	for {
		key, err := c.key()
		if err != nil {
			return err
		}
		at := c.mark()
		err = value(key)
		if c.review != nil {
			err = c.review.member(c, at, key, err)
		}
		if err != nil {
			return InField(err, key)
		}
		switch more, err := c.more('}'); {
		case err != nil:
			return err
		case !more:
			c.leave()
			return nil
		}
	}
}

// table is an object of arbitrary keys.
func table[V any](c *Coder, m *map[string]V, value func(*Coder, *V) error) error {
	if null, err := c.isNull(*m == nil); null || err != nil {
		*m = nil
		return err
	}
	if c.writing {
		return c.writeTable(slices.Sorted(maps.Keys(*m)), func(key string) error {
			v := (*m)[key]
			return value(c, &v)
		})
	}
	if c.Peek() != '{' {
		return c.mismatch("an object")
	}
	if *m == nil {
		*m = make(map[string]V)
	}
	return c.members(func(key string) error {
		var v V
		err := value(c, &v)
		(*m)[key] = v
		return err
	})
}

// writeTable writes an object with all keys, whatever their values.
func (c *Coder) writeTable(keys []string, value func(key string) error) error {
	c.out = append(c.out, '{')
	for i, key := range keys {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.writeText(key)
		c.out = append(c.out, ':')
		if err := value(key); err != nil {
			return err
		}
	}
	c.out, c.zero = append(c.out, '}'), false
	return nil
}
