// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"errors"
	"math"
)

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// decoder reads a message from its front. After the first error it only returns
// zero values, so callers check once, by finish.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.rest = nil
}

// finish is the first error, or that of bytes left over.
func (d *decoder) finish() error {
	if d.err == nil && len(d.rest) != 0 {
		return errors.New("message has bytes left over")
	}
	return d.err
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail(errTruncated)
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) uint32() uint32 {
	v := d.uvarint()
	if v > math.MaxUint32 {
		d.fail(errors.New("number is out of range"))
		return 0
	}
	return uint32(v)
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail(errTruncated)
		return 0
	}
	v := d.rest[0]
	d.rest = d.rest[1:]
	return v
}

func (d *decoder) bool() bool { return d.byte() != 0 }

// count is the length of a list. Every element takes a byte at least, so a
// length that a damaged message claims cannot make the reader allocate more
// than the message's own size.
func (d *decoder) count() int {
	v := d.uvarint()
	if v > uint64(len(d.rest)) {
		d.fail(errTruncated)
		return 0
	}
	return int(v)
}

func (d *decoder) bytes() []byte {
	n := d.count()
	v := d.rest[:n:n]
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) strings() []string {
	n := d.count()
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, string(d.bytes()))
	}
	return list
}
