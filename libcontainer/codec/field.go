// SPDX-License-Identifier: Apache-2.0

package codec

import "time"

// Text is a field with a string.
func Text[T ~string](c *Coder, name string, v *T) {
	if c.startField(name) {
		c.endField(text(c, v))
	}
}

// Boolean is a field with true or false.
func Boolean(c *Coder, name string, v *bool) {
	if c.startField(name) {
		c.endField(boolean(c, v))
	}
}

// OptionalBoolean is a Boolean behind a pointer. null stands for nil.
func OptionalBoolean(c *Coder, name string, v **bool) {
	if c.startField(name) {
		c.endField(optional(c, v, boolean))
	}
}

// Signed is a field with an integer that may be negative.
func Signed[T ~int | ~int32 | ~int64](c *Coder, name string, v *T) {
	if c.startField(name) {
		c.endField(signed(c, v))
	}
}

// OptionalSigned is a Signed behind a pointer. null stands for nil.
func OptionalSigned[T ~int | ~int32 | ~int64](c *Coder, name string, v **T) {
	if c.startField(name) {
		c.endField(optional(c, v, signed[T]))
	}
}

// Unsigned is a field with an integer that is not negative.
func Unsigned[T ~uint | ~uint16 | ~uint32 | ~uint64](c *Coder, name string, v *T) {
	if c.startField(name) {
		c.endField(unsigned(c, v))
	}
}

// OptionalUnsigned is an Unsigned behind a pointer. null stands for nil.
func OptionalUnsigned[T ~uint | ~uint16 | ~uint32 | ~uint64](c *Coder, name string, v **T) {
	if c.startField(name) {
		c.endField(optional(c, v, unsigned[T]))
	}
}

// Time is a field with a time in the format of RFC 3339.
func Time(c *Coder, name string, v *time.Time) {
	if c.startField(name) {
		c.endField(timeValue(c, v))
	}
}

// Raw is a field with a value of any type, as its JSON text.
func Raw[T ~[]byte](c *Coder, name string, v *T) {
	if c.startField(name) {
		c.endField(raw(c, v))
	}
}
