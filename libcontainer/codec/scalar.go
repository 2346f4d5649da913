// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"strconv"
	"strings"
	"time"
)

// text is a string. A null leaves *v unchanged, here and in every scalar, as in encoding/json.
func text[T ~string](c *Coder, v *T) error {
	if c.writing {
		c.writeText(string(*v))
		return nil
	}
	switch c.Peek() {
	case '"':
		s, err := c.quoted()
		*v = T(s)
		return err
	case 'n':
		return c.word("null")
	}
	return c.mismatch("a string")
}

// boolean is true or false.
func boolean(c *Coder, v *bool) error {
	if c.writing {
		c.out, c.zero = strconv.AppendBool(c.out, *v), !*v
		return nil
	}
	switch c.Peek() {
	case 't':
		*v = true
		return c.word("true")
	case 'f':
		*v = false
		return c.word("false")
	case 'n':
		return c.word("null")
	}
	return c.mismatch("true or false")
}

// signed is an integer that fits T.
func signed[T ~int | ~int32 | ~int64](c *Coder, v *T) error {
	if c.writing {
		c.out, c.zero = strconv.AppendInt(c.out, int64(*v), 10), *v == 0
		return nil
	}
	if null, err := c.null(); null || err != nil {
		return err
	}
	at, token, err := c.integer()
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(token, 10, 64)
	if err != nil || int64(T(n)) != n {
		return c.fail(at, "number %s is out of range", token)
	}
	*v = T(n)
	return nil
}

// unsigned is an integer that fits T and is not negative.
func unsigned[T ~uint | ~uint16 | ~uint32 | ~uint64](c *Coder, v *T) error {
	if c.writing {
		c.out, c.zero = strconv.AppendUint(c.out, uint64(*v), 10), *v == 0
		return nil
	}
	if null, err := c.null(); null || err != nil {
		return err
	}
	at, token, err := c.integer()
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(token, 10, 64)
	if err != nil || uint64(T(n)) != n {
		return c.fail(at, "number %s is out of range (0 to %d)", token, ^T(0))
	}
	*v = T(n)
	return nil
}

// timeValue is a time in the format of RFC 3339.
func timeValue(c *Coder, v *time.Time) error {
	if c.writing {
		c.writeText(v.Format(time.RFC3339Nano))
		c.zero = v.IsZero()
		return nil
	}
	if null, err := c.null(); null || err != nil {
		return err
	}
	begin, s := c.pos, ""
	if err := text(c, &s); err != nil {
		return err
	}
	if err := v.UnmarshalText([]byte(s)); err != nil {
		return c.fail(begin, "not a time of RFC 3339: %q", s)
	}
	return nil
}

// raw is a value of any type, as its JSON text.
func raw[T ~[]byte](c *Coder, v *T) error {
	if c.writing {
		null, _ := c.isNull(*v == nil)
		c.out, c.zero = append(c.out, *v...), null
		return nil
	}
	text, err := c.Span(c.skip)
	*v = T(text)
	return err
}

// integer consumes a number without a fraction or an exponent.
func (c *Coder) integer() (at int, token string, err error) {
	if b := c.Peek(); b != '-' && (b < '0' || b > '9') {
		return 0, "", c.mismatch("an integer")
	}
	at = c.pos
	token, err = c.number()
	if err == nil && strings.ContainsAny(token, ".eE") {
		err = c.fail(at, "expected an integer, found %s", token)
	}
	return at, token, err
}

// number consumes a number in JSON's grammar.
func (c *Coder) number() (string, error) {
	start := c.pos
	if c.pos < len(c.text) && c.text[c.pos] == '-' {
		c.pos++
	}
	switch {
	case c.pos < len(c.text) && c.text[c.pos] == '0':
		c.pos++
	case !c.digits():
		if c.pos == start {
			return "", c.unexpected("a value")
		}
		return "", c.unexpected("a digit")
	}
	if c.pos < len(c.text) && c.text[c.pos] == '.' {
		c.pos++
		if !c.digits() {
			return "", c.unexpected("a digit")
		}
	}
	if c.pos < len(c.text) && c.text[c.pos]|0x20 == 'e' {
		c.pos++
		if c.pos < len(c.text) && (c.text[c.pos] == '+' || c.text[c.pos] == '-') {
			c.pos++
		}
		if !c.digits() {
			return "", c.unexpected("a digit")
		}
	}
	return c.text[start:c.pos], nil
}

// digits consumes decimal digits and reports whether there was one.
func (c *Coder) digits() bool {
	start := c.pos
	for c.pos < len(c.text) && '0' <= c.text[c.pos] && c.text[c.pos] <= '9' {
		c.pos++
	}
	return c.pos > start
}
