// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// header is the part of init/wire.h that must agree with wire.go.
type header struct {
	constants map[string]int64
	structs   map[string][]field
}

type field struct {
	name         string
	offset, size int
}

var (
	comment   = regexp.MustCompile(`(?s)/\*.*?\*/`)
	define    = regexp.MustCompile(`(?m)^#define (WIRE_\w+)\s+(\w+)\s*$`)
	structure = regexp.MustCompile(`(?s)struct (\w+) \{\n(.*?)\n\};`)
	member    = regexp.MustCompile(`(?s)(struct \w+|\w+)\s+([^;]+);`)
)

func readHeader(t *testing.T) *header {
	t.Helper()
	text, err := os.ReadFile("../../init/wire.h")
	if err != nil {
		t.Fatal(err)
	}
	source := comment.ReplaceAllString(string(text), "")
	h := &header{constants: map[string]int64{}, structs: map[string][]field{}}
	for _, m := range define.FindAllStringSubmatch(source, -1) {
		value, err := strconv.ParseInt(m[2], 0, 64)
		if err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
		h.constants[m[1]] = value
	}
	sizes := map[string]int{"char": 1, "uint32_t": 4, "int32_t": 4, "uint64_t": 8}
	for _, m := range structure.FindAllStringSubmatch(source, -1) {
		fields, size := h.layout(t, m[2], sizes)
		h.structs[m[1]] = fields
		sizes["struct "+m[1]] = size
	}
	return h
}

// layout places the members as a C compiler does without padding. It is an error if a member
// needs padding.
func (h *header) layout(t *testing.T, body string, sizes map[string]int) ([]field, int) {
	t.Helper()
	var fields []field
	at := 0
	for _, m := range member.FindAllStringSubmatch(body, -1) {
		size, ok := sizes[m[1]]
		if !ok {
			t.Fatalf("unknown type %q", m[1])
		}
		for _, name := range strings.Split(m[2], ",") {
			name, array, isArray := strings.Cut(strings.TrimSpace(name), "[")
			total := size
			if isArray {
				total *= int(h.constants[strings.TrimSuffix(array, "]")])
			}
			if size == 8 && at%8 != 0 {
				t.Errorf("%s is not aligned", name)
			}
			fields = append(fields, field{name: name, offset: at, size: total})
			at += total
		}
	}
	return fields, at
}

// goName returns the name of a member in Go: join_types is JoinTypes, uid is UID.
func goName(c string) string {
	if c == "uid" || c == "gid" {
		return strings.ToUpper(c)
	}
	var b strings.Builder
	for _, part := range strings.Split(c, "_") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

func TestStructsAgree(t *testing.T) {
	h := readHeader(t)
	for name, v := range map[string]any{
		"wire_bootstrap":    Bootstrap{},
		"wire_plan_message": PlanMessage{},
		"wire_span":         Span{},
		"wire_plan":         Plan{},
		"wire_hook":         Hook{},
		"wire_rlimit":       Rlimit{},
		"wire_path":         Path{},
		"wire_report":       Report{},
	} {
		typ := reflect.TypeOf(v)
		var got []field
		for n := range typ.NumField() {
			f := typ.Field(n)
			got = append(got, field{name: f.Name, offset: int(f.Offset), size: int(f.Type.Size())})
		}
		want := h.structs[name]
		size := 0
		for n := range want {
			want[n].name = goName(want[n].name)
			size = want[n].offset + want[n].size
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Go has\n%v\nC has\n%v", name, got, want)
		}
		if int(typ.Size()) != size {
			t.Errorf("%s: %d bytes in Go, %d in C", name, typ.Size(), size)
		}
		delete(h.structs, name)
	}
	for name := range h.structs {
		t.Errorf("%s does not exist in Go", name)
	}
}

func TestConstantsAgree(t *testing.T) {
	h := readHeader(t)
	for name, value := range map[string]int64{
		"WIRE_MAGIC":             Magic,
		"WIRE_VERSION":           Version,
		"WIRE_MAX_TASKS":         MaxTasks,
		"WIRE_MAX_JOINS":         MaxJoins,
		"WIRE_MAX_PROC_CONTEXTS": MaxProcContexts,
		"WIRE_MAX_OFFSETS":       MaxOffsets,
		"WIRE_MAX_DETAIL":        MaxDetail,
		"WIRE_AWAIT_MAPS":        AwaitMaps,
		"WIRE_OWN":               Own,
		"WIRE_FORK":              Fork,
		"WIRE_FORKED":            Forked,
		"WIRE_HELPER":            Helper,
		"WIRE_FACT":              Fact,
		"WIRE_FACT_PATH":         FactPath,
		"WIRE_FACT_LINK":         FactLink,
		"WIRE_FACT_NAMES":        FactNames,
		"WIRE_FACT_HEAD":         FactHead,
		"WIRE_FACT_NEXT":         FactNext,
		"WIRE_FACTS_END":         FactsEnd,
		"WIRE_HEAD":              Head,
		"WIRE_PATH_NOEXEC":       PathNoexec,
		"WIRE_HELPING":           Helping,
		"WIRE_OPENER":            Opener,
		"WIRE_BOOTSTRAP_ALL":     BootstrapAll,
		"WIRE_HAS_CONSOLE":       HasConsole,
		"WIRE_HAS_ROOT":          HasRoot,
		"WIRE_HAS_FIFO":          HasFifo,
		"WIRE_HAS_HOOK_STATE":    HasHookState,
		"WIRE_HAS_PROGRAM":       HasProgram,
		"WIRE_HAS_HOOK_STDOUT":   HasHookStdout,
		"WIRE_HAS_HOOK_STDERR":   HasHookStderr,
		"WIRE_HAS_REPORTS":       HasReports,
		"WIRE_HAS_ALL":           HasAll,
		"WIRE_HAS_RULESET":       HasRuleset,
		"WIRE_RESET_AFFINITY":    ResetAffinity,
		"WIRE_PERSONALITY":       Personality,
		"WIRE_MEMORY_POLICY":     MemoryPolicy,
		"WIRE_AT_ONCE":           AtOnce,
		"WIRE_AWAIT_GO":          AwaitGo,
		"WIRE_LISTEN_PID":        ListenPid,
		"WIRE_PLAN_ALL":          PlanAll,
		"WIRE_NO_NEW_PRIVS":      NoNewPrivs,
		"WIRE_NEW_SESSION":       NewSession,
		"WIRE_SET_GROUPS":        SetGroups,
		"WIRE_KEEP_CREDENTIALS":  KeepCredentials,
		"WIRE_OWN_STDIN":         OwnStdin, "WIRE_OWN_STDOUT": OwnStdout, "WIRE_OWN_STDERR": OwnStderr,
		"WIRE_KEYRING":    Keyring,
		"WIRE_NAMESPACES": Namespaces,
		"WIRE_READY":      Ready,
		"WIRE_EXEC":       Exec,
		"WIRE_FAILED":     Failed,
		"WIRE_LISTENER":   Listener,
		"WIRE_GO":         Go,
	} {
		if got, ok := h.constants[name]; !ok || got != value {
			t.Errorf("%s is %d in C (there: %v), %d in Go", name, got, ok, value)
		}
		delete(h.constants, name)
	}
	for name := range h.constants {
		t.Errorf("%s does not exist in Go", name)
	}
}
