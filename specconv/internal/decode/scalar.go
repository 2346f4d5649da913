// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// text takes a string. A null leaves *v as it is, here and in every scalar, as
// encoding/json has it.
func text[T ~string](d *decoder, v *T) error {
	switch d.peek() {
	case '"':
		s, err := d.quoted()
		*v = T(s)
		return err
	case 'n':
		return d.word("null")
	}
	return d.mismatch("a string")
}

// boolean takes true or false.
func boolean(d *decoder, v *bool) error {
	switch d.peek() {
	case 't':
		*v = true
		return d.word("true")
	case 'f':
		*v = false
		return d.word("false")
	case 'n':
		return d.word("null")
	}
	return d.mismatch("true or false")
}

// signed takes an integer that fits T.
func signed[T ~int | ~int32 | ~int64](d *decoder, v *T) error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	at, token, err := d.integer()
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(token, 10, 64)
	if err != nil || int64(T(n)) != n {
		return d.fail(at, "number %s is out of range", token)
	}
	*v = T(n)
	return nil
}

// unsigned takes an integer that fits T and is not negative.
func unsigned[T ~uint | ~uint16 | ~uint32 | ~uint64](d *decoder, v *T) error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	at, token, err := d.integer()
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(token, 10, 64)
	if err != nil || uint64(T(n)) != n {
		return d.fail(at, "number %s is out of range (0 to %d)", token, ^T(0))
	}
	*v = T(n)
	return nil
}

// integer takes a number without fraction and exponent.
func (d *decoder) integer() (at int, token string, err error) {
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		return 0, "", d.mismatch("an integer")
	}
	at = d.pos
	token, err = d.number()
	if err == nil && strings.ContainsAny(token, ".eE") {
		err = d.fail(at, "expected an integer, found %s", token)
	}
	return at, token, err
}

// number takes a number of JSON's grammar.
func (d *decoder) number() (string, error) {
	start := d.pos
	if d.pos < len(d.text) && d.text[d.pos] == '-' {
		d.pos++
	}
	switch {
	case d.pos < len(d.text) && d.text[d.pos] == '0':
		d.pos++
	case !d.digits():
		if d.pos == start {
			return "", d.unexpected("a value")
		}
		return "", d.unexpected("a digit")
	}
	if d.pos < len(d.text) && d.text[d.pos] == '.' {
		d.pos++
		if !d.digits() {
			return "", d.unexpected("a digit")
		}
	}
	if d.pos < len(d.text) && d.text[d.pos]|0x20 == 'e' {
		d.pos++
		if d.pos < len(d.text) && (d.text[d.pos] == '+' || d.text[d.pos] == '-') {
			d.pos++
		}
		if !d.digits() {
			return "", d.unexpected("a digit")
		}
	}
	return d.text[start:d.pos], nil
}

// digits takes decimal digits and says whether there was one.
func (d *decoder) digits() bool {
	start := d.pos
	for d.pos < len(d.text) && '0' <= d.text[d.pos] && d.text[d.pos] <= '9' {
		d.pos++
	}
	return d.pos > start
}

// quoted takes a string in double quotes. Nearly all strings have no escapes and
// are slices of the document then.
func (d *decoder) quoted() (string, error) {
	d.pos++
	start, ascii := d.pos, true
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; {
		case c == '"':
			s := d.text[start:d.pos]
			d.pos++
			if !ascii && !utf8.ValidString(s) {
				return "", d.notUTF8(start)
			}
			return s, nil
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			return "", d.unexpected("the string to go on")
		case c >= utf8.RuneSelf:
			ascii = false
		}
		d.pos++
	}
	return "", d.unexpected("the closing quote of a string")
}

// escaped takes the rest of a string that began at start and has its first escape
// here.
func (d *decoder) escaped(start int) (string, error) {
	out, begin := []byte(nil), start
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; {
		case c == '"':
			out = append(out, d.text[start:d.pos]...)
			if !utf8.Valid(out) {
				return "", d.notUTF8(begin)
			}
			d.pos++
			return string(out), nil
		case c == '\\':
			out = append(out, d.text[start:d.pos]...)
			r, err := d.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
			start = d.pos
		case c < ' ':
			return "", d.unexpected("the string to go on")
		default:
			d.pos++
		}
	}
	return "", d.unexpected("the closing quote of a string")
}

// escape takes one escape sequence. Half a surrogate pair is no character.
func (d *decoder) escape() (rune, error) {
	start := d.pos
	d.pos++
	if d.pos >= len(d.text) {
		return 0, d.unexpected("the closing quote of a string")
	}
	c := d.text[d.pos]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		d.pos++
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return 0, d.unexpected(`one of "\/bfnrtu after a backslash`)
	}
	d.pos++
	r, err := d.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if strings.HasPrefix(d.text[d.pos:], `\u`) {
		second := *d
		second.pos += 2
		low, err := second.hex4()
		if err == nil {
			if pair := utf16.DecodeRune(r, low); pair != unicode.ReplacementChar {
				d.pos = second.pos
				return pair, nil
			}
		}
	}
	return 0, d.fail(start, "half a surrogate pair: %s is no character", d.text[start:d.pos])
}

// hex4 takes four hexadecimal digits.
func (d *decoder) hex4() (rune, error) {
	var r rune
	for range 4 {
		if d.pos >= len(d.text) {
			return 0, d.unexpected("a hexadecimal digit")
		}
		c := d.text[d.pos]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, d.unexpected("a hexadecimal digit")
		}
		r = r<<4 | rune(c)
		d.pos++
	}
	return r, nil
}

// notUTF8 tells of the first byte from start on that is no part of UTF-8. Package
// encoding/json would put U+FFFD there: another path, another argument.
func (d *decoder) notUTF8(start int) error {
	for i, r := range d.text[start:] {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(d.text[start+i:]); size == 1 {
			return d.fail(start+i, "invalid byte 0x%02x, a string is UTF-8", d.text[start+i])
		}
	}
	return d.unexpected("UTF-8")
}
