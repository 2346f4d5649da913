// SPDX-License-Identifier: Apache-2.0

package codec

import "time"

// Text is a string.
func Text[T ~string](c *Coder, name string, v *T) {
	if c.here(name) {
		c.done(text(c, v))
	}
}

// Boolean is true or false.
func Boolean(c *Coder, name string, v *bool) {
	if c.here(name) {
		c.done(boolean(c, v))
	}
}

// OptionalBoolean is one behind a pointer, null being nil.
func OptionalBoolean(c *Coder, name string, v **bool) {
	if c.here(name) {
		c.done(optional(c, v, boolean))
	}
}

// Signed is an integer that may be negative.
func Signed[T ~int | ~int32 | ~int64](c *Coder, name string, v *T) {
	if c.here(name) {
		c.done(signed(c, v))
	}
}

// OptionalSigned is one behind a pointer, null being nil.
func OptionalSigned[T ~int | ~int32 | ~int64](c *Coder, name string, v **T) {
	if c.here(name) {
		c.done(optional(c, v, signed[T]))
	}
}

// Unsigned is an integer that is not negative.
func Unsigned[T ~uint | ~uint16 | ~uint32 | ~uint64](c *Coder, name string, v *T) {
	if c.here(name) {
		c.done(unsigned(c, v))
	}
}

// OptionalUnsigned is one behind a pointer, null being nil.
func OptionalUnsigned[T ~uint | ~uint16 | ~uint32 | ~uint64](c *Coder, name string, v **T) {
	if c.here(name) {
		c.done(optional(c, v, unsigned[T]))
	}
}

// Time is a time as RFC 3339 writes it.
func Time(c *Coder, name string, v *time.Time) {
	if c.here(name) {
		c.done(timeValue(c, v))
	}
}

// Raw is a value of any type, as it stands.
func Raw[T ~[]byte](c *Coder, name string, v *T) {
	if c.here(name) {
		c.done(raw(c, v))
	}
}
