// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// encode is json.Marshal of st. It is written out because it stands in the way of
// every create, twice, and the first use of encoding/json costs 0.2 ms of reflection;
// what few containers have is left to that. A test compares the two.
func (st *savedState) encode() ([]byte, error) {
	e := stateEncoder{buf: make([]byte, 0, 1024)}
	e.number("format", uint64(st.Format))
	e.text("id", st.ID)
	e.text("ociVersion", st.OCIVersion)
	e.text("bundle", st.Bundle)
	e.text("rootfs", st.Rootfs)
	e.text("created", st.Created.Format(time.RFC3339Nano))
	e.texts("annotations", st.Annotations)
	e.number("pid", uint64(st.PID))
	e.number("startTime", st.StartTime)
	e.flag("sharedPID", st.SharedPID)
	e.texts("cgroupPlan", st.CgroupPlan)
	e.texts("cgroupPaths", st.CgroupPaths)
	e.texts("cgroupClaims", st.CgroupClaims)
	e.flag("cgroupRootless", st.CgroupRootless)
	e.optionalText("systemdUnit", st.SystemdUnit)
	e.optionalNumber("systemdUser", uint64(st.SystemdUser))
	e.optionalText("cgroupSubgroup", st.CgroupSubgroup)
	e.raw("resources", st.Resources)
	e.optionalNumber("namespaces", uint64(st.Namespaces))
	e.optionalNumber("joinedNamespaces", uint64(st.JoinedNamespaces))
	e.optionalNumber("rootfsPropagation", st.RootfsPropagation)
	e.optionalText("mountLabel", st.MountLabel)
	e.optionalText("rootMount", st.RootMount)
	e.flag("noNewKeyring", st.NoNewKeyring)
	if st.Personality != nil {
		e.number("personality", uint64(*st.Personality))
	}
	if st.MemoryPolicy != nil {
		e.any("memoryPolicy", st.MemoryPolicy)
	}
	e.flag("filtered", st.Filtered)
	e.optionalNumber("filterFlags", uint64(st.FilterFlags))
	e.optionalText("listenerPath", st.ListenerPath)
	e.optionalText("listenerMetadata", st.ListenerMetadata)
	e.list("resctrlGroups", st.ResctrlGroups)
	e.optionalText("resctrlDir", st.ResctrlDir)
	e.interfaces("network", st.Network)
	e.optionalNumber("rootfsMountID", st.RootfsMountID)
	e.hooks("poststart", st.Poststart)
	e.hooks("poststop", st.Poststop)
	e.optionalText("hookStdout", st.HookStdout)
	e.optionalText("hookStderr", st.HookStderr)
	return append(e.buf, '}'), e.err
}

// stateEncoder appends the members of one JSON object, and keeps the first error.
type stateEncoder struct {
	buf []byte
	err error
}

func (e *stateEncoder) key(name string) {
	c := byte(',')
	if len(e.buf) == 0 {
		c = '{'
	}
	e.buf = append(e.buf, c)
	e.buf = appendJSONString(e.buf, name)
	e.buf = append(e.buf, ':')
}

func (e *stateEncoder) text(name, value string) {
	e.key(name)
	e.buf = appendJSONString(e.buf, value)
}

// optionalText leaves out what is empty.
func (e *stateEncoder) optionalText(name, value string) {
	if value != "" {
		e.text(name, value)
	}
}

func (e *stateEncoder) number(name string, value uint64) {
	e.key(name)
	e.buf = strconv.AppendUint(e.buf, value, 10)
}

// optionalNumber leaves out 0.
func (e *stateEncoder) optionalNumber(name string, value uint64) {
	if value != 0 {
		e.number(name, value)
	}
}

// flag leaves out what is false.
func (e *stateEncoder) flag(name string, value bool) {
	if value {
		e.key(name)
		e.buf = append(e.buf, "true"...)
	}
}

// texts leaves out an empty map; its keys come sorted.
func (e *stateEncoder) texts(name string, values map[string]string) {
	if len(values) == 0 {
		return
	}
	e.key(name)
	inner := stateEncoder{}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		inner.text(k, values[k])
	}
	e.buf = append(append(e.buf, inner.buf...), '}')
}

// list leaves out an empty list.
func (e *stateEncoder) list(name string, values []string) {
	if len(values) == 0 {
		return
	}
	e.key(name)
	for i, v := range values {
		e.buf = append(e.buf, "[,"[min(i, 1)])
		e.buf = appendJSONString(e.buf, v)
	}
	e.buf = append(e.buf, ']')
}

func (e *stateEncoder) hooks(name string, hooks []specs.Hook) {
	if len(hooks) > 0 {
		e.any(name, hooks)
	}
}

// any is for what few containers have.
func (e *stateEncoder) any(name string, value any) {
	data, err := json.Marshal(value)
	if err != nil && e.err == nil {
		e.err = err
	}
	e.key(name)
	e.buf = append(e.buf, data...)
}

// appendJSONString appends s as a JSON string (RFC 8259, section 7). What is not UTF-8
// becomes the replacement character, as with encoding/json.
func appendJSONString(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	buf = append(buf, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			buf = append(buf, '\\', byte(r))
		case r < ' ':
			buf = append(buf, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			buf = utf8.AppendRune(buf, r)
		}
	}
	return append(buf, '"')
}
