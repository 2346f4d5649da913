// SPDX-License-Identifier: Apache-2.0

// Package engines runs container engines with the runtime in $RUNTIME, as root of a throw-away
// room (see ./run, ./enter and ./room).
//
// Each engine has a test, which starts its daemons, and each of its operations a subtest. The
// results of several runtimes make a table. ./known has the operations that fail, and ./skips
// what is missing where. The invariant: when a test ends, no process, mount, cgroup, interface or
// state of a container is left.
package engines

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// systemdSuffix ends the name, in the table, of a runtime that has its cgroups from systemd.
const systemdSuffix = "-systemd"

// suite is shared by all tests. TestMain sets it.
var suite struct {
	// room is the recipe's name, like docker28. It is empty outside of a room.
	room string
	// mode is v1 or v2: how cgroups are seen in the room.
	mode string
	// place is where the room is: the mode, or the kind of virtual machine.
	place string
	// bare means that mode is v2, which has no controllers.
	bare bool
	// runtime is the path of the runtime that the engines are told to use, and name its name: berth,
	// runc, crun, or berth-as-runc, if berth lies in runc's place.
	runtime, name string
	// systemd means that engines have systemd make the cgroups.
	systemd bool
	// smoke means that only the operations of smoke run.
	smoke bool
	// strict means that a skip must be listed.
	strict bool
	// known are the operations that fail, and skips those that cannot be tried.
	known, skips []row
	results      []outcome
	// limit is how long a command, or the wait for an event, may take.
	limit time.Duration
}

func TestMain(m *testing.M) {
	if runtime := os.Getenv(wrapperEnv); runtime != "" {
		fmt.Fprintln(os.Stderr, "wrapper:", wrap(runtime))
		os.Exit(1)
	}
	if os.Getenv(notifyEnv) != "" {
		fmt.Fprintln(os.Stderr, "notify:", notify())
		os.Exit(1)
	}
	if os.Getenv(helperEnv) == "euid" {
		fmt.Println("Effective uid:", os.Geteuid())
		return
	}
	code, err := setUp(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "engines:", err)
		code = 2
	}
	os.Exit(code)
}

// setUp sets the suite, runs the tests, and keeps their results; or it writes the table.
func setUp(m *testing.M) (code int, err error) {
	if file := os.Getenv("TABLE"); file != "" {
		return 0, writeTable(file, os.Getenv("RESULTS"))
	}
	suite.room, suite.mode = os.Getenv("ROOM"), os.Getenv("MODE")
	suite.place = cmp.Or(os.Getenv("PLACE"), suite.mode)
	suite.runtime, suite.name = os.Getenv("RUNTIME"), os.Getenv("NAME")
	suite.name, suite.systemd = strings.CutSuffix(suite.name, systemdSuffix)
	suite.smoke, suite.strict = os.Getenv("SMOKE") != "", os.Getenv("CI") != ""
	suite.limit = 2 * time.Minute
	if text := os.Getenv("LIMIT"); text != "" {
		if suite.limit, err = time.ParseDuration(text); err != nil {
			return 0, fmt.Errorf("LIMIT: %w", err)
		}
	}
	if suite.room == "" {
		return m.Run(), nil
	}
	suite.bare = suite.mode == "v2" && !controller("memory")
	if suite.known, err = readRows("known"); err != nil {
		return 0, err
	}
	if suite.skips, err = readRows("skips"); err != nil {
		return 0, err
	}
	code = m.Run()
	return code, keepResults(os.Getenv("RESULTS"), suite.smoke || os.Getenv("TESTS")+os.Getenv("RUN") != "")
}

// inRoom skips a test outside of a room, and otherwise checks at its end that nothing is left.
func inRoom(t *testing.T) {
	t.Helper()
	if suite.room == "" {
		t.Skip("needs a room: tests/engines/run")
	}
	before := look()
	t.Cleanup(func() { nothingLeft(t, before) })
}
