// SPDX-License-Identifier: Apache-2.0

package template

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv"
	"github.com/berth-run/berth/specconv/internal/netplan"
	"github.com/berth-run/berth/specconv/internal/sample"
	"github.com/berth-run/berth/specconv/internal/word"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// newTemplate returns a template for a bundle whose root file system has the user web and its
// group.
func newTemplate(t *testing.T) *Template {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rootfs/etc/passwd"), "root:x:0:0:::\nweb:x:33:34:::\n")
	write(t, filepath.Join(dir, "rootfs/etc/group"), "root:x:0:\nweb:x:34:\nextra:x:50:web\n")
	return &Template{Bundle: dir, Dir: dir}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (t *Template) must(tb testing.TB) *specs.Spec {
	tb.Helper()
	s, err := t.Spec()
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestTemplateIsExample(t *testing.T) {
	if got := newTemplate(t).must(t); !reflect.DeepEqual(got, sample.Example()) {
		t.Errorf("without options: %+v", got)
	}
	want := sample.Example()
	sample.ToRootless(want, 7, 8)
	template := newTemplate(t)
	template.Rootless, template.UID, template.GID = true, 7, 8
	if got := template.must(t); !reflect.DeepEqual(got, want) {
		t.Errorf("rootless: %+v", got)
	}
}

func TestTemplateProcess(t *testing.T) {
	o := newTemplate(t)
	no := false
	o.Args, o.Terminal, o.User, o.ReadOnly = []string{"sleep", "", "1 2"}, &no, "web", &no
	o.Env = []string{"A=1", "TERM=dumb", "A=2=3", "B="}
	s := o.must(t)
	p := s.Process
	if !slices.Equal(p.Args, o.Args) || p.Terminal || s.Root.Readonly {
		t.Errorf("%q, terminal %v, root %+v", p.Args, p.Terminal, s.Root)
	}
	if want := []string{sample.Example().Process.Env[0], "TERM=dumb", "A=2=3", "B="}; !slices.Equal(p.Env, want) {
		t.Errorf("env %q, want %q", p.Env, want)
	}
	if want := (specs.User{UID: 33, GID: 34, AdditionalGids: []uint32{50}}); !reflect.DeepEqual(p.User, want) {
		t.Errorf("user %+v, want %+v", p.User, want)
	}
}

func TestTemplateCapabilities(t *testing.T) {
	own := sample.Example().Process.Capabilities.Bounding
	for _, test := range []struct {
		user           string
		add, had, more []string
	}{
		{"", []string{"net_raw", "CAP_KILL", "NET_RAW", "cap_chown"}, append(own, "CAP_NET_RAW", "CAP_CHOWN"), nil},
		{"33", []string{"CAP_NET_RAW", "kill"}, append(own, "CAP_NET_RAW"), []string{"CAP_KILL", "CAP_NET_RAW"}},
		{"33", nil, own, nil},
		{"0:33", []string{"sys_admin"}, append(own, "CAP_SYS_ADMIN"), nil},
	} {
		o := newTemplate(t)
		o.User, o.Capabilities = test.user, test.add
		c := o.must(t).Process.Capabilities
		for name, set := range map[string][]string{"bounding": c.Bounding, "effective": c.Effective, "permitted": c.Permitted} {
			if !slices.Equal(set, test.had) {
				t.Errorf("%s of %q: %q, want %q", name, test.add, set, test.had)
			}
		}
		if !slices.Equal(c.Ambient, test.more) || !slices.Equal(c.Inheritable, test.more) {
			t.Errorf("%q: ambient %q, inheritable %q, want %q", test.add, c.Ambient, c.Inheritable, test.more)
		}
	}
	for _, all := range []string{"ALL", "all"} {
		o := newTemplate(t)
		// A machine may not have all capabilities.
		o.Capabilities, o.Rootless = []string{"chown", all}, true
		c := o.must(t).Process.Capabilities.Permitted
		slices.Sort(c)
		if !slices.Equal(c, specconv.KnownCapabilities()) {
			t.Errorf("%s: %q", all, c)
		}
	}
}

// TestTemplatePaths: a path on the command line is relative to the caller's directory, and is
// written relative to the bundle if it is inside.
func TestTemplatePaths(t *testing.T) {
	o := newTemplate(t)
	outside := t.TempDir()
	o.Dir = filepath.Join(o.Bundle, "rootfs")
	if err := os.Symlink(outside, filepath.Join(o.Bundle, "link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"etc": "rootfs/etc", "../rootfs/": "rootfs", "../new": "new", "../..": filepath.Dir(o.Bundle),
		outside: outside, o.Bundle + "/rootfs": "rootfs", o.Bundle: o.Bundle, "../link": outside,
	} {
		o.Rootfs, o.Binds = path, nil
		if got := o.must(t).Root.Path; got != want {
			t.Errorf("--rootfs %s: %s, want %s", path, got, want)
		}
		if path == "../link" {
			want = "link"
		}
		o.Rootfs, o.Binds = "", []string{path + ":/x"}
		s := o.must(t)
		if got := s.Mounts[len(s.Mounts)-1].Source; got != want {
			t.Errorf("--bind %s: %s, want %s", path, got, want)
		}
	}
}

func TestParseBind(t *testing.T) {
	for text, want := range map[string]specs.Mount{
		"/a:/b":                      {Destination: "/b", Type: "bind", Source: "/a", Options: []string{"rbind"}},
		"a:/b/../c/:ro":              {Destination: "/c", Type: "bind", Source: "a", Options: []string{"rbind", "ro"}},
		"a:/b:bind,ro":               {Destination: "/b", Type: "bind", Source: "a", Options: []string{"bind", "ro"}},
		"a:/b:rro,rbind,rprivate":    {Destination: "/b", Type: "bind", Source: "a", Options: []string{"rro", "rbind", "rprivate"}},
		"a:/b:idmap=uids=0-1-2;gids": {Destination: "/b", Type: "bind", Source: "a", Options: []string{"rbind", "idmap=uids=0-1-2;gids"}},
	} {
		if m, err := parseBind(text); err != nil || !reflect.DeepEqual(*m, want) {
			t.Errorf("%q: %+v, %v", text, m, err)
		}
	}
}

func FuzzParseBind(f *testing.F) {
	f.Add("/a:/b:ro,nosuid")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseBind(text)
		if err != nil {
			if !strings.Contains(err.Error(), ": ") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if m.Source == "" || m.Destination[0] != '/' || m.Destination == "/" || !slices.ContainsFunc(m.Options, func(o string) bool { return o == "bind" || o == "rbind" }) {
			t.Errorf("%q: %+v", text, m)
		}
	})
}

func TestParseCPUs(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 100_000, "0.5": 50_000, ".25": 25_000, "2.": 200_000, "0.01": 1000, "1.234567": 123_457, "175921860": 17592186000000,
	} {
		if got, err := parseCPUs(text); got != want || err != nil {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "0.009", "-1", "+1", "1e3", "0x1p3", "inf", "NaN", "1_0", "1.2.3", ".", "175921861", "1" + strings.Repeat("0", 400)} {
		if got, err := parseCPUs(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func FuzzParseCPUs(f *testing.F) {
	f.Add("0.5")
	f.Fuzz(func(t *testing.T, text string) {
		if quota, err := parseCPUs(text); err == nil && (quota < minQuota || quota > maxQuota) {
			t.Errorf("%q: %d", text, quota)
		}
	})
}

func TestTemplateLimits(t *testing.T) {
	for _, rootless := range []bool{false, true} {
		o := newTemplate(t)
		o.Memory, o.CPUs, o.Rootless = "1.5G", "1.5", rootless
		r := o.must(t).Linux.Resources
		if *r.Memory.Limit != 3<<29 || *r.CPU.Quota != 150_000 || *r.CPU.Period != 100_000 {
			t.Errorf("%+v %+v", r.Memory, r.CPU)
		}
		if got := len(r.Devices); (got == 0) != rootless {
			t.Errorf("rootless %v: %d rules of devices", rootless, got)
		}
	}
}

// converted returns the plan of an example with the annotation, or with options if that is "".
func converted(t *testing.T, annotation string, options ...string) (*configs.Config, error) {
	t.Helper()
	bundle := t.TempDir()
	if err := os.Mkdir(filepath.Join(bundle, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := Example()
	s.Hostname = "web"
	if annotation != "" {
		s.Annotations = map[string]string{netplan.AnnotationNetwork: annotation}
	}
	return specconv.Convert(s, &specconv.Options{
		Bundle: bundle, Networks: options, Warn: func(format string, args ...any) { t.Logf(format, args...) },
	})
}

func TestTemplateNetwork(t *testing.T) {
	has := func(s *specs.Spec) bool { return slices.ContainsFunc(s.Linux.Namespaces, isNetwork) }
	sysOf := func(s *specs.Spec) string {
		return s.Mounts[slices.IndexFunc(s.Mounts, func(m specs.Mount) bool { return m.Destination == "/sys" })].Type
	}
	for _, test := range []struct {
		network  string
		rootless bool
		own      bool
		sys      string
	}{{"host", false, false, "sysfs"}, {"none", false, true, "sysfs"}, {"host", true, false, "none"}, {"none", true, true, "sysfs"}} {
		o := newTemplate(t)
		o.Networks, o.Rootless = []string{test.network}, test.rootless
		if s := o.must(t); has(s) != test.own || sysOf(s) != test.sys || len(s.Annotations) > 0 {
			t.Errorf("%+v: %+v, /sys %s, %v", test, s.Linux.Namespaces, sysOf(s), s.Annotations)
		}
	}
	// The result is the same as that of `run --network` with the same options.
	for _, options := range [][]string{
		{"bridge=br0"},
		{"bridge=br0,create=true,address=10.88.0.2/24,address=fd00:88::2/64,gateway=10.88.0.1,host-name=web0,name=n0,mac=02:00:5e:10:00:01,mtu=1400,txqueuelen=5,hairpin=true,route=10.99.0.0/16@10.88.0.254,route=10.98.0.0/16"},
		{"bridge=br0,address=10.88.0.2/24,hosts=true", "bridge=br1,dns=10.88.0.1,search=example,dns-option=ndots:2"},
		{"bridge=br0,address=10.88.0.2/24,host=db@10.88.0.3"},
	} {
		o := newTemplate(t)
		o.Networks = options
		one, err := converted(t, o.must(t).Annotations[netplan.AnnotationNetwork])
		if err != nil {
			t.Fatal(err)
		}
		two, err := converted(t, "", options...)
		if err != nil {
			t.Fatal(err)
		}
		written, given := one.Network, two.Network
		if len(written.Interfaces) != len(given.Interfaces) {
			t.Fatalf("%q: %d interfaces", options, len(written.Interfaces))
		}
		for i := range given.Interfaces {
			given.Interfaces[i].Field = written.Interfaces[i].Field
		}
		if given.Field = written.Field; !reflect.DeepEqual(written, given) {
			t.Errorf("%q: written\n%+v, given\n%+v", options, written, given)
		}
	}
}

// TestTemplateErrors: each error names the option, and what is wrong with its value.
func TestTemplateErrors(t *testing.T) {
	for _, test := range []struct {
		change Template
		want   string
	}{
		{Template{Args: []string{""}}, `--args: the program has no name: [""]`},
		{Template{Args: []string{"a\x00"}}, `process.args[0]: must not contain a NUL byte`},
		{Template{Env: []string{"A=1", "B"}}, `--env: missing '=': "B"`},
		{Template{Env: []string{"=b"}}, `--env: the name must not be empty: "=b"`},
		{Template{Rootfs: "rootfs/etc/passwd"}, "--rootfs: rootfs/etc/passwd: not a directory"},
		{Template{Rootfs: "rootfs/etc/passwd/x"}, "--rootfs: rootfs/etc/passwd/x: not a directory"},
		{Template{Binds: []string{"a"}}, `--bind: not of the form SRC:DST[:OPTIONS], without further colons: "a"`},
		{Template{Binds: []string{":/b"}}, `--bind: not of the form`},
		{Template{Binds: []string{"a:/b:ro:c"}}, `--bind: not of the form`},
		{Template{Binds: []string{"a:b"}}, `--bind: "a:b": the destination must be an absolute path: "b"`},
		{Template{Binds: []string{"a:/b/.."}}, `--bind: "a:/b/..": a mount over the root`},
		{Template{Binds: []string{"a:/b:ro,z"}}, `--bind: "a:/b:ro,z": not an option of a bind mount: "z"`},
		{Template{Binds: []string{"a:/b:"}}, `--bind: "a:/b:": not an option of a bind mount: ""`},
		{Template{Binds: []string{"a:/b:remount"}}, `not an option of a bind mount: "remount"`},
		{Template{Binds: []string{"a:/b:tmpcopyup"}}, `not an option of a bind mount: "tmpcopyup"`},
		{Template{Memory: "1x"}, "--memory: invalid size: '1x'"},
		{Template{Memory: "-1"}, `--memory: must be more than 0: "-1"`},
		{Template{CPUs: "two"}, `--cpus: not a number of CPUs like 2 or 0.5: "two"`},
		{Template{CPUs: "0"}, `--cpus: out of range (0.01 to 175921860): "0"`},
		{Template{Networks: []string{"x"}}, `--network[0]: not of the form key=value: "x"`},
		{Template{Networks: []string{"bridge=br0,address=1.2.3.4"}}, `--network[0].addresses[0]: not an address`},
		{Template{Networks: []string{"bridge=br0", "none"}}, `--network: "none" must be the only one: ["bridge=br0" "none"]`},
		{Template{Networks: []string{"bridge=br0,hosts=true"}, Binds: []string{"a:/etc/hosts"}}, `--network.hosts: mounts[7] mounts something on /etc/hosts already`},
		{Template{Networks: []string{"bridge=br0"}, Rootless: true}, `--network: ["bridge=br0"]: not together with --rootless`},
		{Template{SubIDs: true}, "--subids: only together with --rootless"},
		{Template{Capabilities: []string{"net_raw", "nope"}}, `--cap-add: unknown capability "nope"`},
		{Template{User: "nosuch"}, `--user: "nosuch": the root file system's /etc/passwd has no user "nosuch"`},
		{Template{User: "web:nosuch"}, `--user: "web:nosuch": the root file system's /etc/group has no group "nosuch"`},
		{Template{User: "web", Rootfs: "none"}, `--user: "web": open `},
		{Template{User: ":0"}, `--user: not of the form USER[:GROUP]: ":0"`},
		{Template{User: "0:"}, `--user: not of the form`},
		{Template{User: "0:0:0"}, `--user: not of the form`},
		{Template{User: "4294967295"}, `--user: "4294967295": user: 4294967295 is more than an id can be`},
		{Template{User: "0:4294967296"}, `--user: "0:4294967296": group: 4294967296 is more`},
		{Template{User: "33", Rootless: true}, `--user: "33": uid 33 is not mapped: the only one with --rootless is 0; --subids adds others`},
		{Template{User: "0:5", Rootless: true}, `--user: "0:5": gid 5 is not mapped`},
		{Template{Image: "nosuch"}, "--from-image: stat "},
		{Template{Image: "rootfs:"}, `--from-image: not of the form DIR[:TAG]: "rootfs:"`},
		{Template{Image: "rootfs"}, "not an OCI image layout"},
	} {
		o := test.change
		o.Bundle = newTemplate(t).Bundle
		o.Dir = o.Bundle
		if s, err := o.Spec(); err == nil || !strings.HasPrefix(err.Error(), test.want) && !strings.Contains(err.Error(), ": "+test.want) {
			t.Errorf("%+v: %v, want %s", test.change, err, test.want)
			_ = s
		}
	}
}

func FuzzCapabilityName(f *testing.F) {
	f.Add("net_raw")
	f.Fuzz(func(t *testing.T, text string) {
		name, err := word.CapabilityName(text)
		if err == nil && !slices.Contains(specconv.KnownCapabilities(), name) || err != nil && name != "" {
			t.Errorf("%q: %q, %v", text, name, err)
		}
	})
}

// FuzzSetEnv: each name occurs once, whatever its value.
func FuzzSetEnv(f *testing.F) {
	f.Add("A=1", "A=2=3")
	f.Fuzz(func(t *testing.T, first, second string) {
		env := []string{"TERM=x"}
		for _, entry := range []string{first, second} {
			after, err := setEnv(env, entry)
			if err != nil {
				continue
			}
			if !slices.Contains(after, entry) {
				t.Errorf("no %q in %q", entry, after)
			}
			env = after
		}
		seen := map[string]bool{}
		for _, entry := range env {
			name, _, ok := strings.Cut(entry, "=")
			if !ok || name == "" || seen[name] {
				t.Errorf("%q", env)
			}
			seen[name] = true
		}
	})
}
