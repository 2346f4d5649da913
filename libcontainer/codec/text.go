// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted consumes a string in double quotes. Nearly all strings have no escapes, and are then
// slices of the document.
func (c *Coder) quoted() (string, error) {
	c.pos++
	start, ascii := c.pos, true
	for c.pos < len(c.text) {
		switch b := c.text[c.pos]; {
		case b == '"':
			s := c.text[start:c.pos]
			c.pos++
			if !ascii && !utf8.ValidString(s) {
				return "", c.notUTF8(start)
			}
			return s, nil
		case b == '\\':
			return c.escaped(start)
		case b < ' ':
			return "", c.unexpected("the string to go on")
		case b >= utf8.RuneSelf:
			ascii = false
		}
		c.pos++
	}
	return "", c.unexpected("the closing quote of a string")
}

// escaped consumes the rest of a string that began at start and has its first escape here.
func (c *Coder) escaped(start int) (string, error) {
	out, begin := []byte(nil), start
	for c.pos < len(c.text) {
		switch b := c.text[c.pos]; {
		case b == '"':
			out = append(out, c.text[start:c.pos]...)
			if !utf8.Valid(out) {
				return "", c.notUTF8(begin)
			}
			c.pos++
			return string(out), nil
		case b == '\\':
			out = append(out, c.text[start:c.pos]...)
			r, err := c.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
			start = c.pos
		case b < ' ':
			return "", c.unexpected("the string to go on")
		default:
			c.pos++
		}
	}
	return "", c.unexpected("the closing quote of a string")
}

// escape consumes one escape sequence. Half of a surrogate pair is not a character.
func (c *Coder) escape() (rune, error) {
	start := c.pos
	c.pos++
	if c.pos >= len(c.text) {
		return 0, c.unexpected("the closing quote of a string")
	}
	b := c.text[c.pos]
	if i := strings.IndexByte(`"\/bfnrt`, b); i >= 0 {
		c.pos++
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	if b != 'u' {
		return 0, c.unexpected(`one of "\/bfnrtu after a backslash`)
	}
	c.pos++
	r, err := c.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if strings.HasPrefix(c.text[c.pos:], `\u`) {
		second := *c
		second.pos += 2
		low, err := second.hex4()
		if err == nil {
			if pair := utf16.DecodeRune(r, low); pair != unicode.ReplacementChar {
				c.pos = second.pos
				return pair, nil
			}
		}
	}
	return 0, c.fail(start, "half a surrogate pair: %s is no character", c.text[start:c.pos])
}

// hex4 consumes four hexadecimal digits.
func (c *Coder) hex4() (rune, error) {
	var r rune
	for range 4 {
		if c.pos >= len(c.text) {
			return 0, c.unexpected("a hexadecimal digit")
		}
		b := c.text[c.pos]
		switch {
		case '0' <= b && b <= '9':
			b -= '0'
		case 'a' <= b|0x20 && b|0x20 <= 'f':
			b = b | 0x20 - 'a' + 10
		default:
			return 0, c.unexpected("a hexadecimal digit")
		}
		r = r<<4 | rune(b)
		c.pos++
	}
	return r, nil
}

// notUTF8 returns an error about the first byte from start on that is not part of UTF-8.
// Package encoding/json would put U+FFFD there, which would be another path or another
// argument.
func (c *Coder) notUTF8(start int) error {
	for i, r := range c.text[start:] {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(c.text[start+i:]); size == 1 {
			return c.fail(start+i, "invalid byte 0x%02x, a string is UTF-8", c.text[start+i])
		}
	}
	return c.unexpected("UTF-8")
}

// writeText writes a string (RFC 8259, section 7). What is not UTF-8 becomes the replacement
// character, as in encoding/json.
func (c *Coder) writeText(s string) {
	const hex = "0123456789abcdef"
	short := [' ']byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}
	out := append(c.out, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r < ' ' && short[r] != 0:
			out = append(out, '\\', short[r])
		case r < ' ':
			out = append(out, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	c.out, c.zero = append(out, '"'), s == ""
}
