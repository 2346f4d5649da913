// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"strconv"
	"strings"
)

// Locate returns where in a document the value is that a path names, such as
// "mounts[3].options[1]" or `annotations["a.b"]`: its line and column, both counted from one and in
// characters. If there is no such value, it is the innermost one of those that contain it, and whole
// is false. Without even the beginning of the path, or for a document that is not JSON, line is 0.
func Locate(document, path string) (line, column int, whole bool) {
	l := &locator{c: &Coder{text: document}, found: -1}
	// An error means that the document ends early. What was found before it is where it seems.
	_ = l.value(path)
	if l.found < 0 {
		return 0, 0, false
	}
	line, column = position(document, l.found)
	return line, column, l.whole
}

// locator walks down a path.
type locator struct {
	c *Coder
	// found is the offset of the innermost value so far, and -1 for none. The document as a whole
	// does not count.
	found int
	whole bool
}

// value walks down from the next value, and consumes it. rest is the path from there.
func (l *locator) value(rest string) error {
	switch l.c.Peek() {
	case '{':
		return l.c.members(func(key string) error {
			if after, ok := cutKey(rest, key); ok {
				return l.descend(after)
			}
			return l.c.skip()
		})
	case '[':
		_, err := l.c.elements(func(i int) error {
			if after, ok := strings.CutPrefix(rest, "["+strconv.Itoa(i)+"]"); ok {
				return l.descend(strings.TrimPrefix(after, "."))
			}
			return l.c.skip()
		})
		return err
	}
	return l.c.skip()
}

// descend is value for one that is on the path. The last of several with the same key counts, as it
// does for those who read the document.
func (l *locator) descend(rest string) error {
	l.c.Peek()
	l.found, l.whole = l.c.pos, rest == ""
	return l.value(rest)
}

// cutKey returns what follows a key at the beginning of a path. A key with dots in it is one key,
// and may also be in brackets and quoted.
func cutKey(path, key string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(path, "["+strconv.Quote(key)+"]"); ok {
		return strings.TrimPrefix(rest, "."), true
	}
	if len(path) < len(key) || key == "" || !strings.EqualFold(path[:len(key)], key) {
		return "", false
	}
	switch rest = path[len(key):]; {
	case rest == "", rest[0] == '[':
		return rest, true
	case rest[0] == '.':
		return rest[1:], true
	}
	return "", false
}
