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

func TestStepsAgree(t *testing.T) {
	text, err := os.ReadFile("init/wire.h")
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]string{}
	for _, m := range regexp.MustCompile(`X\(STEP_\w+, (\d+), "([^"]+)"\)`).FindAllStringSubmatch(string(text), -1) {
		number, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		want[number] = m[2]
	}
	got := map[int]string{}
	for number, word := range steps {
		if word != "" {
			got[number] = word
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Go has\n%v\nC has\n%v", got, want)
	}
}

// The steps that Go checks for are constants: each must have the number of its name in C.
func TestStepNumbersAgree(t *testing.T) {
	text, err := os.ReadFile("init/wire.h")
	if err != nil {
		t.Fatal(err)
	}
	for name, number := range map[string]int{
		"STEP_CGROUP": stepCgroup, "STEP_JOIN": stepJoin, "STEP_BOUNDING": stepBounding,
		"STEP_AMBIENT": stepAmbient, "STEP_VERIFY_CWD": stepVerifyCwd, "STEP_LOOK_UP": stepLookUp,
		"STEP_STAT": stepStat, "STEP_EXECUTABLE": stepExecutable, "STEP_RLIMIT": stepRlimit,
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
