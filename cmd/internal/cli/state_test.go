// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/berth-run/berth/libcontainer"
)

func testState() *libcontainer.State {
	return &libcontainer.State{
		Version: "1.2.0",
		ID:      "web",
		Status:  specs.StateStopped,
		Bundle:  "/b",
		Rootfs:  "/b/rootfs",
		Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Owner:   "root",
	}
}

func TestStateJSON(t *testing.T) {
	text, err := json.MarshalIndent(testState(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "ociVersion": "1.2.0",
  "id": "web",
  "pid": 0,
  "status": "stopped",
  "bundle": "/b",
  "rootfs": "/b/rootfs",
  "created": "2026-01-02T03:04:05.000000006Z",
  "owner": "root"
}`
	if string(text) != want {
		t.Errorf("state\n%s\nwant\n%s", text, want)
	}
}

func TestStateAnnotations(t *testing.T) {
	s := testState()
	s.Annotations = map[string]string{"a": "1"}
	text, err := json.Marshal(s)
	if err != nil || !bytes.Contains(text, []byte(`"annotations":{"a":"1"}`)) {
		t.Errorf("state %s, %v", text, err)
	}
}

func TestTable(t *testing.T) {
	running := testState()
	running.ID, running.PID, running.Status = "a-rather-long-name", 4194304, "running"
	running.Bundle = "/evil\x1b[2J"
	want := "" +
		"ID                   PID         STATUS      BUNDLE         CREATED                          OWNER\n" +
		"web                  0           stopped     /b             2026-01-02T03:04:05.000000006Z   root\n" +
		"a-rather-long-name   4194304     running     /evil\\x1b[2J   2026-01-02T03:04:05.000000006Z   root\n"
	if got := table([]*libcontainer.State{testState(), running}); got != want {
		t.Errorf("table\n%s\nwant\n%s", got, want)
	}
}

// TestPrintEmptyList: scripts expect runc's "null".
func TestPrintEmptyList(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	a := newApp("berth", nil, out, nil)
	a.global.root = t.TempDir()
	states, err := a.list()
	if err != nil {
		t.Fatal(err)
	}
	for _, quiet := range []bool{false, true} {
		if err := a.printList(states, "json", quiet); err != nil {
			t.Error(err)
		}
	}
	if got, err := os.ReadFile(out.Name()); err != nil || string(got) != "null\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEmptyTable(t *testing.T) {
	if got, want := table(nil), "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n"; got != want {
		t.Errorf("table %q, want %q", got, want)
	}
}
