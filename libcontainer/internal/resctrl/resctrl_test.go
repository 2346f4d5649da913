// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fake creates a directory tree that imitates the file system: directories appear with their
// files and disappear with them. A write replaces the beginning of a file without any checks.
func fake(t *testing.T) *FS {
	t.Helper()
	root := t.TempDir()
	f := &FS{root: root, rmdir: os.RemoveAll}
	f.mkdir = func(path string) error {
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		return fill(path)
	}
	if err := errors.Join(fill(root), os.Mkdir(filepath.Join(root, "info"), 0o755)); err != nil {
		t.Fatal(err)
	}
	put(t, f, "info/last_cmd_status", "ok\n")
	return f
}

func fill(dir string) error {
	err := os.WriteFile(filepath.Join(dir, "tasks"), nil, 0o644)
	if filepath.Base(filepath.Dir(dir)) == "mon_groups" {
		return err
	}
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "schemata"), nil, 0o644), os.Mkdir(filepath.Join(dir, "mon_groups"), 0o755))
}

func put(t *testing.T, f *FS, path, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.root, path), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, f *FS, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(f.root, path))
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

// groups returns all directories that a container may have created.
func groups(t *testing.T, f *FS) string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(f.root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() != "mon_groups" && d.Name() != "info" && path != f.root {
			dirs = append(dirs, strings.TrimPrefix(path, f.root+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(dirs, " ")
}

func TestGroup(t *testing.T) {
	tests := []struct {
		name string
		plan Plan
		// existing is a group created earlier, with its schemata.
		existing, schemata string
		// made are all groups after the create, owned those that Owned returns, and left those
		// after a delete. file is the content of the schemata file of the first group.
		made, owned, left, tasks, file string
		err                            string
	}{
		{name: "own group", plan: Plan{ID: "c", Schemata: []string{"L3:0=f"}}, made: "c", owned: "c", tasks: "c", file: "L3:0=f\n"},
		{name: "own group without schemata", plan: Plan{ID: "c"}, made: "c", owned: "c", tasks: "c"},
		{name: "own group, monitored", plan: Plan{ID: "c", Monitoring: true}, made: "c c/mon_groups/c", owned: "c/mon_groups/c c", tasks: "c c/mon_groups/c"},
		{
			// A second write starts at the beginning of the fake file.
			name: "lines are writes of their own", plan: Plan{ID: "c", Schemata: []string{"L3:0=f", "L3:0=1\nL3:0=f0"}},
			made: "c", owned: "c", tasks: "c", file: "L3:0=f0\n",
		},
		{name: "own group exists", plan: Plan{ID: "c"}, existing: "c", made: "c", left: "c", tasks: "c"},
		{
			name: "new named group", plan: Plan{ID: "c", ClosID: "gold", Schemata: []string{"L3:0=f"}, Monitoring: true},
			made: "gold gold/mon_groups/c", owned: "gold/mon_groups/c", left: "gold", tasks: "gold gold/mon_groups/c", file: "L3:0=f\n",
		},
		{
			name: "existing named group", plan: Plan{ID: "c", ClosID: "gold", Monitoring: true}, existing: "gold", schemata: "L3:0=ff\n",
			made: "gold gold/mon_groups/c", owned: "gold/mon_groups/c", left: "gold", tasks: "gold gold/mon_groups/c", file: "L3:0=ff\n",
		},
		{
			name: "existing group with these schemata", plan: Plan{ID: "c", ClosID: "gold", Schemata: []string{"L3: 1=0F ; 0=f0", "MB:0=20"}},
			existing: "gold", schemata: "    MB:0= 20;1=100\n    L3:0=0f0;1=00f\n    L2:0=ff\n", made: "gold", left: "gold", tasks: "gold",
			file: "    MB:0= 20;1=100\n    L3:0=0f0;1=00f\n    L2:0=ff\n",
		},
		{
			name: "later lines win", plan: Plan{ID: "c", ClosID: "gold", Schemata: []string{"L3:0=1;1=2", "L3:0=3"}},
			existing: "gold", schemata: "L3:0=3;1=2\n", made: "gold", left: "gold", tasks: "gold", file: "L3:0=3;1=2\n",
		},
		{
			name: "existing group with others", plan: Plan{ID: "c", ClosID: "gold", Schemata: []string{"L3:0=f0;1=1", "MB:7=20"}}, existing: "gold",
			schemata: "L3:0=f;1=1\nMB:0=20\n", made: "gold", left: "gold",
			err: "linux.intelRdt: the group ROOT/gold exists and has other schemata than L3:0=f0, MB:7=20",
		},
		{
			name: "existing group and nonsense", plan: Plan{ID: "c", ClosID: "gold", Schemata: []string{"L3"}}, existing: "gold",
			made: "gold", left: "gold", err: `linux.intelRdt: not a line of schemata: "L3"`,
		},
		{
			name: "missing group", plan: Plan{ID: "c", ClosID: "gold"},
			err: `linux.intelRdt.closID: there is no group "gold", and no schemata to make one with: lstat ROOT/gold: no such file or directory`,
		},
		{name: "root group", plan: Plan{ID: "c", ClosID: "/"}, tasks: "."},
		{name: "root group, monitored", plan: Plan{ID: "c", ClosID: "/", Monitoring: true}, made: "mon_groups/c", owned: "mon_groups/c", tasks: ". mon_groups/c"},
		{name: "monitoring group exists", plan: Plan{ID: "c", ClosID: "/", Monitoring: true}, existing: "mon_groups/c", made: "mon_groups/c", left: "mon_groups/c", err: "linux.intelRdt: mkdir ROOT/mon_groups/c: file exists"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := fake(t)
			if test.existing != "" {
				if err := f.mkdir(filepath.Join(f.root, test.existing)); err != nil {
					t.Fatal(err)
				}
			}
			if test.schemata != "" {
				put(t, f, test.existing+"/schemata", test.schemata)
			}
			g, owned, err := f.place(&test.plan)
			if test.err != "" {
				if text := strings.ReplaceAll(errText(err), f.root, "ROOT"); text != test.err {
					t.Errorf("error %s, want %s", text, test.err)
				}
				if got := groups(t, f); got != test.left {
					t.Errorf("left: %q, want %q", got, test.left)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := groups(t, f); got != test.made {
				t.Errorf("made %q, want %q", got, test.made)
			}
			if got := strings.ReplaceAll(strings.Join(owned, " "), f.root+"/", ""); got != test.owned {
				t.Errorf("owned %q, want %q", got, test.owned)
			}
			for _, dir := range strings.Fields(test.tasks) {
				if got := get(t, f, dir+"/tasks"); got != "4711\n" {
					t.Errorf("%s/tasks: %q", dir, got)
				}
			}
			if test.file != "" {
				first, _, _ := strings.Cut(test.made, " ")
				if got := get(t, f, first+"/schemata"); got != test.file {
					t.Errorf("schemata %q, want %q", got, test.file)
				}
			}
			for _, dir := range owned {
				if err := f.remove(dir); err != nil {
					t.Error(err)
				}
			}
			if got := groups(t, f); got != test.left {
				t.Errorf("after delete: %q, want %q", got, test.left)
			}
			// If the create fails later, nothing that was created stays.
			if err := g.Remove(); err != nil {
				t.Error(err)
			}
			if got := groups(t, f); got != test.existing {
				t.Errorf("after undo: %q, want %q", got, test.existing)
			}
		})
	}
}

// place does what a create does.
func (fs *FS) place(p *Plan) (*Group, []string, error) {
	g, err := fs.Find(p)
	if err != nil {
		return nil, nil, err
	}
	owned := g.Owned()
	if err := g.Create(); err != nil {
		return nil, nil, err
	}
	return g, owned, g.Join(4711)
}

func errText(err error) string {
	if err == nil {
		return "none"
	}
	return err.Error()
}

// TestRefusedSchemata: the kernel's own message is part of the error, and the group is gone.
func TestRefusedSchemata(t *testing.T) {
	f := fake(t)
	mkdir := f.mkdir
	f.mkdir = func(path string) error {
		err := mkdir(path)
		put(t, f, "info/last_cmd_status", "unknown resource name 'L9'\n")
		// A directory cannot be written to: any error will do.
		return errors.Join(err, os.Remove(filepath.Join(path, "schemata")), os.Mkdir(filepath.Join(path, "schemata"), 0o755))
	}
	_, _, err := f.place(&Plan{ID: "c", Schemata: []string{"\nL9:0=1"}})
	if !errors.Is(err, unix.EISDIR) || !strings.HasPrefix(err.Error(), `linux.intelRdt: "L9:0=1": open `) {
		t.Errorf("error %v", err)
	}
	if got := groups(t, f); got != "" {
		t.Errorf("left: %q", got)
	}
	if got := f.explain(unix.EINVAL).Error(); got != "invalid argument (unknown resource name 'L9')" {
		t.Errorf("explained: %q", got)
	}
}

// TestAllLines: a fifo shows that everything is written, and in which order.
func TestAllLines(t *testing.T) {
	f := fake(t)
	var reader *os.File
	mkdir := f.mkdir
	f.mkdir = func(path string) error {
		err := mkdir(path)
		name := filepath.Join(path, "schemata")
		if err = errors.Join(err, os.Remove(name), unix.Mkfifo(name, 0o600)); err != nil {
			return err
		}
		reader, err = os.OpenFile(name, os.O_RDWR, 0)
		return err
	}
	if _, _, err := f.place(&Plan{ID: "c", Schemata: []string{"L3:0=f\nMB:0=10\n", "L3:0=ff"}}); err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	buf := make([]byte, 100)
	n, err := reader.Read(buf)
	if got := string(buf[:n]); err != nil || got != "L3:0=f\nMB:0=10\nL3:0=ff\n" {
		t.Errorf("written: %q, %v", got, err)
	}
}

// TestRace: a named group appears between Find and Create.
func TestRace(t *testing.T) {
	f := fake(t)
	g, err := f.Find(&Plan{ID: "c", ClosID: "gold", Schemata: []string{"L3:0=f"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.mkdir(filepath.Join(f.root, "gold")); err != nil {
		t.Fatal(err)
	}
	put(t, f, "gold/schemata", "L3:0=ff\n")
	if err := g.Create(); err == nil || !strings.Contains(err.Error(), "other schemata") {
		t.Errorf("error %v", err)
	}
	if got := groups(t, f); got != "gold" {
		t.Errorf("left: %q", got)
	}
}

func TestNotMounted(t *testing.T) {
	for _, dir := range []string{t.TempDir(), "/nonexistent"} {
		_, err := Open(dir)
		if err == nil || !strings.HasPrefix(err.Error(), "linux.intelRdt: the resctrl file system is not mounted at "+dir+": no such ") {
			t.Errorf("error %v", err)
		}
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	if err := os.Mkdir(two, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Remove([]string{one, two}); err != nil {
		t.Error(err)
	}
	// A user other than root gets another error.
	if err := Remove([]string{"/proc", dir}); !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.EACCES) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

func FuzzSchemata(f *testing.F) {
	f.Add("L3:0=ff;1=f\nMB:0= 10\n")
	f.Add("::;=")
	f.Fuzz(func(t *testing.T, text string) {
		s := schemata{}
		if s.parse(text) != nil {
			return
		}
		// What it has parsed, written out, is parsed the same way.
		var lines []string
		for k, v := range s {
			lines = append(lines, k.resource+":"+k.domain+"="+v)
		}
		slices.Sort(lines)
		again := schemata{}
		if err := again.parse(strings.Join(lines, "\n")); err != nil {
			t.Fatal(err)
		}
		for k, v := range s {
			if again[k] != v {
				t.Errorf("%v: %q became %q", k, v, again[k])
			}
		}
	})
}
