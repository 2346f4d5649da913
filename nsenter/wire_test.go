// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"fmt"
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
	steps     map[int]string
}

type field struct {
	name         string
	offset, size int
}

var (
	comment    = regexp.MustCompile(`(?s)/\*.*?\*/`)
	define     = regexp.MustCompile(`(?m)^#define (WIRE_\w+)\s+(\w+)\s*$`)
	structure  = regexp.MustCompile(`(?s)struct (\w+) \{\n(.*?)\n\};`)
	member     = regexp.MustCompile(`(?s)(struct \w+|\w+)\s+([^;]+);`)
	stepDefine = regexp.MustCompile(`X\(STEP_\w+, (\d+), "([^"]+)"\)`)
)

func readHeader(t *testing.T) *header {
	t.Helper()
	text, err := os.ReadFile("init/wire.h")
	if err != nil {
		t.Fatal(err)
	}
	source := comment.ReplaceAllString(string(text), "")
	h := &header{constants: map[string]int64{}, structs: map[string][]field{}, steps: map[int]string{}}
	for _, m := range define.FindAllStringSubmatch(source, -1) {
		value, err := strconv.ParseInt(m[2], 0, 64)
		if err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
		h.constants[m[1]] = value
	}
	for _, m := range stepDefine.FindAllStringSubmatch(source, -1) {
		number, _ := strconv.Atoi(m[1])
		h.steps[number] = m[2]
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
		"wire_bootstrap":    wireBootstrap{},
		"wire_plan_message": wirePlanMessage{},
		"wire_span":         wireSpan{},
		"wire_plan":         wirePlan{},
		"wire_hook":         wireHook{},
		"wire_rlimit":       wireRlimit{},
		"wire_report":       wireReport{},
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
		t.Errorf("%s has no twin in Go", name)
	}
}

func TestConstantsAgree(t *testing.T) {
	h := readHeader(t)
	for name, value := range map[string]int64{
		"WIRE_MAGIC":             wireMagic,
		"WIRE_VERSION":           wireVersion,
		"WIRE_MAX_TASKS":         wireMaxTasks,
		"WIRE_MAX_JOINS":         wireMaxJoins,
		"WIRE_MAX_PROC_CONTEXTS": wireMaxProcContexts,
		"WIRE_MAX_OFFSETS":       wireMaxOffsets,
		"WIRE_MAX_DETAIL":        wireMaxDetail,
		"WIRE_AWAIT_MAPS":        wireAwaitMaps,
		"WIRE_OWN":               wireOwn,
		"WIRE_FORK":              wireFork,
		"WIRE_FORKED":            wireForked,
		"WIRE_HELPER":            wireHelper,
		"WIRE_HELPING":           wireHelping,
		"WIRE_OPENER":            wireOpener,
		"WIRE_BOOTSTRAP_ALL":     wireBootstrapAll,
		"WIRE_HAS_CONSOLE":       wireHasConsole,
		"WIRE_HAS_ROOT":          wireHasRoot,
		"WIRE_HAS_FIFO":          wireHasFifo,
		"WIRE_HAS_HOOK_STATE":    wireHasHookState,
		"WIRE_HAS_PROGRAM":       wireHasProgram,
		"WIRE_HAS_HOOK_STDOUT":   wireHasHookStdout,
		"WIRE_HAS_HOOK_STDERR":   wireHasHookStderr,
		"WIRE_HAS_REPORTS":       wireHasReports,
		"WIRE_HAS_ALL":           wireHasAll,
		"WIRE_HAS_RULESET":       wireHasRuleset,
		"WIRE_RESET_AFFINITY":    wireResetAffinity,
		"WIRE_PERSONALITY":       wirePersonality,
		"WIRE_MEMORY_POLICY":     wireMemoryPolicy,
		"WIRE_AT_ONCE":           wireAtOnce,
		"WIRE_AWAIT_GO":          wireAwaitGo,
		"WIRE_LISTEN_PID":        wireListenPid,
		"WIRE_PLAN_ALL":          wirePlanAll,
		"WIRE_NO_NEW_PRIVS":      wireNoNewPrivs,
		"WIRE_NEW_SESSION":       wireNewSession,
		"WIRE_SET_GROUPS":        wireSetGroups,
		"WIRE_KEEP_CREDENTIALS":  wireKeepCredentials,
		"WIRE_OWN_STDIN":         wireOwnStdin, "WIRE_OWN_STDOUT": wireOwnStdout, "WIRE_OWN_STDERR": wireOwnStderr,
		"WIRE_KEYRING":    wireKeyring,
		"WIRE_NAMESPACES": wireNamespaces,
		"WIRE_READY":      wireReady,
		"WIRE_EXEC":       wireExec,
		"WIRE_FAILED":     wireFailed,
		"WIRE_LISTENER":   wireListener,
		"WIRE_GO":         wireGo,
	} {
		if got, ok := h.constants[name]; !ok || got != value {
			t.Errorf("%s is %d in C (there: %v), %d in Go", name, got, ok, value)
		}
		delete(h.constants, name)
	}
	for name := range h.constants {
		t.Errorf("%s has no twin in Go", name)
	}
}

func TestStepsAgree(t *testing.T) {
	h := readHeader(t)
	got := map[int]string{}
	for number, word := range steps {
		if word != "" {
			got[number] = word
		}
	}
	if !reflect.DeepEqual(got, h.steps) {
		t.Errorf("Go has\n%v\nC has\n%v", got, h.steps)
	}
}

// The steps that Go checks for have numbers; the C names say which.
func TestStepNumbersAgree(t *testing.T) {
	text, err := os.ReadFile("init/wire.h")
	if err != nil {
		t.Fatal(err)
	}
	for name, number := range map[string]int{
		"STEP_CGROUP": stepCgroup, "STEP_JOIN": stepJoin, "STEP_BOUNDING": stepBounding,
		"STEP_AMBIENT": stepAmbient, "STEP_VERIFY_CWD": stepVerifyCwd, "STEP_LOOK_UP": stepLookUp,
		"STEP_STAT": stepStat, "STEP_EXECUTABLE": stepExecutable,
	} {
		if !strings.Contains(string(text), fmt.Sprintf("X(%s, %d, ", name, number)) {
			t.Errorf("%s is not %d in C", name, number)
		}
	}
}

func TestInitNameAgrees(t *testing.T) {
	text, err := os.ReadFile("init/main.c")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), fmt.Sprintf("#define INIT_NAME %q", InitName)) {
		t.Errorf("init/main.c does not name the thread %q", InitName)
	}
}
