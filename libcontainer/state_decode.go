// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// decodeState is json.Unmarshal. Every command begins with it, and the first use of
// encoding/json costs as much as an exec may take: so what encode usually writes is read
// by hand. For all else, a field that only few containers have, a key that another
// version has added, text with an escape, encoding/json takes over and has the last word.
func decodeState(data []byte, st *savedState) error {
	r := stateReader{text: stringOf(data)}
	if r.state(st) {
		return nil
	}
	*st = savedState{}
	return json.Unmarshal(data, st)
}

// stateReader reads JSON without white space. Its methods say false for what they do
// not know; the position then means nothing any more.
type stateReader struct{ text string }

func (r *stateReader) state(st *savedState) bool {
	return r.object(func(key string) bool { return r.member(st, key) }) && r.text == ""
}

func (r *stateReader) member(st *savedState, key string) bool {
	if to := st.textOf(key); to != nil {
		return r.string(to)
	}
	switch key {
	case "format":
		return readNumber(r, &st.Format)
	case "created":
		return r.time(&st.Created)
	case "annotations":
		return r.strings(&st.Annotations)
	case "pid":
		return readNumber(r, &st.PID)
	case "startTime":
		return readNumber(r, &st.StartTime)
	case "sharedPID":
		return r.flag(&st.SharedPID)
	case "cgroupPaths":
		return r.strings(&st.CgroupPaths)
	case "cgroupClaims":
		return r.strings(&st.CgroupClaims)
	case "cgroupRootless":
		return r.flag(&st.CgroupRootless)
	case "resources":
		return r.raw(&st.Resources)
	}
	return r.setting(st, key)
}

// setting is a member that is about how the container has been set up.
func (r *stateReader) setting(st *savedState, key string) bool {
	switch key {
	case "namespaces":
		return readNumber(r, &st.Namespaces)
	case "joinedNamespaces":
		return readNumber(r, &st.JoinedNamespaces)
	case "systemdUser":
		return readNumber(r, &st.SystemdUser)
	case "rootfsPropagation":
		return readNumber(r, &st.RootfsPropagation)
	case "noNewKeyring":
		return r.flag(&st.NoNewKeyring)
	case "network":
		return r.interfaces(&st.Network)
	case "filtered":
		return r.flag(&st.Filtered)
	case "filterFlags":
		return readNumber(r, &st.FilterFlags)
	}
	return false
}

// textOf is the field that is the text of a key, nil when there is none.
func (st *savedState) textOf(key string) *string {
	switch key {
	case "id":
		return &st.ID
	case "ociVersion":
		return &st.OCIVersion
	case "bundle":
		return &st.Bundle
	case "rootfs":
		return &st.Rootfs
	case "mountLabel":
		return &st.MountLabel
	case "rootMount":
		return &st.RootMount
	case "systemdUnit":
		return &st.SystemdUnit
	case "cgroupSubgroup":
		return &st.CgroupSubgroup
	}
	return nil
}

// take takes a piece of punctuation.
func (r *stateReader) take(c byte) bool {
	if r.text == "" || r.text[0] != c {
		return false
	}
	r.text = r.text[1:]
	return true
}

func (r *stateReader) object(member func(key string) bool) bool {
	if !r.take('{') {
		return false
	}
	for {
		var key string
		if !r.string(&key) || !r.take(':') || !member(key) {
			return false
		}
		if !r.take(',') {
			return r.take('}')
		}
	}
}

// string takes a string without escapes, but for those of quotes and backslashes: JSON
// in an annotation is full of them. What is not UTF-8, or a control character, is encode's
// never.
func (r *stateReader) string(to *string) bool {
	if !r.take('"') {
		return false
	}
	var unescaped []byte
	for {
		end := strings.IndexAny(r.text, `"\\`)
		if end < 0 {
			return false
		}
		piece, c := r.text[:end], r.text[end]
		r.text = r.text[end+1:]
		switch {
		case c == '"' && unescaped == nil:
			*to = piece
			return true
		case c == '"':
			*to = string(append(unescaped, piece...))
			return true
		case r.text == "" || (r.text[0] != '"' && r.text[0] != '\\'):
			return false
		}
		unescaped = append(append(unescaped, piece...), r.text[0])
		r.text = r.text[1:]
	}
}

func (r *stateReader) strings(to *map[string]string) bool {
	if *to == nil {
		*to = make(map[string]string)
	}
	return r.object(func(key string) bool {
		var value string
		ok := r.string(&value)
		(*to)[key] = value
		return ok
	})
}

// raw takes an object as it stands.
func (r *stateReader) raw(to *json.RawMessage) bool {
	before := r.text
	if !r.object(func(string) bool { return r.skip() }) {
		return false
	}
	*to = json.RawMessage(before[:len(before)-len(r.text)])
	return true
}

// skip takes a value of those that encodeResources writes by hand.
func (r *stateReader) skip() bool {
	if r.text == "" {
		return false
	}
	var text string
	var n uint64
	switch r.text[0] {
	case '{':
		return r.object(func(string) bool { return r.skip() })
	case '"':
		return r.string(&text)
	case '-':
		r.text = r.text[1:]
	case 't', 'f':
		rest, ok := strings.CutPrefix(r.text, "true")
		if !ok {
			rest, ok = strings.CutPrefix(r.text, "false")
		}
		r.text = rest
		return ok
	}
	return readNumber(r, &n)
}

func (r *stateReader) flag(to *bool) bool {
	rest, ok := strings.CutPrefix(r.text, "true")
	*to, r.text = true, rest
	return ok
}

func (r *stateReader) time(to *time.Time) bool {
	var text string
	if !r.string(&text) {
		return false
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	*to = t
	return err == nil
}

// readNumber takes a number of digits alone.
func readNumber[T int | uint32 | uint64](r *stateReader, to *T) bool {
	end := 0
	for end < len(r.text) && r.text[end] >= '0' && r.text[end] <= '9' {
		end++
	}
	n, err := strconv.ParseUint(r.text[:end], 10, 64)
	if err != nil || uint64(T(n)) != n || T(n) < 0 || (end > 1 && r.text[0] == '0') {
		return false
	}
	*to, r.text = T(n), r.text[end:]
	return true
}
