// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// child is an environment variable that marks the process in which the tests run. It has its own
// network namespaces, including the one of the "host".
const child = "BERTH_NETWORK_TEST_CHILD"

// As in berth itself, the main thread runs only the main goroutine, because /proc/self/ns/net is
// that of the main thread.
func init() { runtime.LockOSThread() }

// inOwnNamespaces runs the calling test again in a process with its own network and mount
// namespaces, and reports whether this is that process. It is a process and not a thread,
// because on a host all threads are in one namespace.
func inOwnNamespaces(t *testing.T) bool {
	t.Helper()
	if os.Getenv(child) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("requires root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("requires ip (iproute2)")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1")
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return false
}

// newNamespace creates a network namespace that exists as long as the file is open.
func newNamespace(t *testing.T) *os.File {
	t.Helper()
	type result struct {
		f   *os.File
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- result{nil, err}
			return
		}
		f, err := os.Open("/proc/thread-self/ns/net")
		done <- result{f, err}
	}()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	t.Cleanup(func() { _ = r.f.Close() })
	return r.f
}

// ip runs ip(8) in a namespace, once per line. nil means that of this process.
func ip(t *testing.T, ns *os.File, script string) string {
	t.Helper()
	cmd := exec.Command("ip", "-details", "-batch", "-")
	if ns != nil {
		cmd = exec.Command("nsenter", "--net=/proc/self/fd/3", "ip", "-details", "-batch", "-")
		cmd.ExtraFiles = []*os.File{ns}
	}
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ip %q: %v: %s", script, err, out)
	}
	return string(out)
}

// links lists the interfaces of a namespace by name, except lo and unnamed ends of pairs.
func links(t *testing.T, ns *os.File) string {
	t.Helper()
	var names []string
	for line := range strings.Lines(ip(t, ns, "link show")) {
		if line[0] == ' ' {
			continue
		}
		name, _, _ := strings.Cut(strings.Fields(line)[1], "@")
		if name = strings.TrimSuffix(name, ":"); name != "lo" && !strings.HasPrefix(name, "veth") {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// contains checks for words in ip's output.
func contains(t *testing.T, out string, words ...string) {
	t.Helper()
	out = strings.Join(strings.Fields(out), " ")
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in %q", w, out)
		}
	}
}

func lacks(t *testing.T, out string, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(out, w) {
			t.Errorf("%q in %q", w, out)
		}
	}
}

const twoAddresses = `link add eth9 type veth
link set eth9 mtu 1400 address 02:00:00:00:00:09
addr add 192.0.2.5/24 brd 192.0.2.255 label eth9:one dev eth9
addr add 198.51.100.1 peer 198.51.100.2/32 dev eth9
addr add 203.0.113.7/29 dev eth9 scope link
addr add 203.0.113.99/29 dev eth9 valid_lft 1000 preferred_lft 1000
addr add 2001:db8::5/64 dev eth9 nodad
addr add 2001:db8:1::5/64 dev eth9 nodad noprefixroute
link set eth9 up
`

// TestMove: everything of the device except its name stays the same, including its permanent
// global addresses.
func TestMove(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ns := newNamespace(t)
	ip(t, nil, twoAddresses)
	m, err := MoveDevices(ns, []configs.NetDevice{{HostName: "eth9", Name: "net0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := links(t, nil); got != "" {
		t.Errorf("left on the host: %s", got)
	}
	out := ip(t, ns, "addr show dev net0")
	contains(t, out, "mtu 1400", "02:00:00:00:00:09", ",UP", "inet 192.0.2.5/24 brd 192.0.2.255 scope global net0:one",
		"inet 198.51.100.1 peer 198.51.100.2/32 scope global net0", "inet6 2001:db8::5/64 scope global",
		"inet6 2001:db8:1::5/64 scope global nodad noprefixroute")
	lacks(t, out, "203.0.113.7", "203.0.113.99")
}

// TestMoveOrder: of several addresses the same one is preferred as before.
func TestMoveOrder(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ns := newNamespace(t)
	ip(t, nil, `link add x type veth
addr add 192.0.2.2/24 dev x
addr add 192.0.2.1/24 dev x
addr add 2001:db8::2/64 dev x nodad
addr add 2001:db8::1/64 dev x nodad
addr add 2001:db8::3/64 dev x nodad
link set x up
`)
	list := func(ns *os.File) (all []string) {
		for line := range strings.Lines(ip(t, ns, "addr show dev x")) {
			if f := strings.Fields(line); strings.HasPrefix(f[0], "inet") && !strings.HasPrefix(f[1], "fe80:") {
				all = append(all, f[1])
			}
		}
		return all
	}
	before := list(nil)
	m, err := MoveDevices(ns, []configs.NetDevice{{HostName: "x", Name: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if after := list(ns); len(before) != 5 || !slices.Equal(after, before) {
		t.Errorf("addresses %q, want %q", after, before)
	}
}

// TestMoveBack: a create that fails later leaves the host as it was.
func TestMoveBack(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ns := newNamespace(t)
	ip(t, nil, twoAddresses+"link add down0 type veth\naddr add 192.0.2.99/32 dev down0\n")
	m, err := MoveDevices(ns, []configs.NetDevice{{HostName: "eth9", Name: "a"}, {HostName: "down0", Name: "eth9"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := links(t, ns); got != "a eth9" && got != "eth9 a" {
		t.Errorf("in the container: %s", got)
	}
	if err := m.Back(); err != nil {
		t.Fatal(err)
	}
	if got := links(t, ns); got != "" {
		t.Errorf("left in the container: %s", got)
	}
	contains(t, ip(t, nil, "addr show dev eth9"), ",UP", "192.0.2.5/24 brd 192.0.2.255 scope global eth9:one", "2001:db8::5/64")
	out := ip(t, nil, "addr show dev down0")
	contains(t, out, "192.0.2.99/32")
	lacks(t, out, ",UP")
}

func TestMoveNames(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	tests := []struct {
		name string
		// host and inside are interfaces that exist.
		host, inside string
		devices      []configs.NetDevice
		want, err    string
	}{
		{"same name", "x", "", []configs.NetDevice{{HostName: "x", Name: "x"}}, "x", ""},
		{"longest name", "x", "", []configs.NetDevice{{HostName: "x", Name: "fifteen-letters"}}, "fifteen-letters", ""},
		{"own name is taken inside", "eth0", "eth0", []configs.NetDevice{{HostName: "eth0", Name: "eth1"}}, "eth0 eth1", ""},
		{"template", "x", "", []configs.NetDevice{{HostName: "x", Name: "net%d"}}, "net0", ""},
		{"template with taken numbers", "x", "net0 net2", []configs.NetDevice{{HostName: "x", Name: "net%d"}}, "net0 net1 net2", ""},
		{"template that fits its own name", "net0", "", []configs.NetDevice{{HostName: "net0", Name: "net%d"}}, "net0", ""},
		{"one template for two", "x y", "", []configs.NetDevice{{HostName: "x", Name: "n%d"}, {HostName: "y", Name: "n%d"}}, "n0 n1", ""},
		{"template with an end", "x", "", []configs.NetDevice{{HostName: "x", Name: "a%db"}}, "a0b", ""},
		{"names exchanged", "x y", "", []configs.NetDevice{{HostName: "x", Name: "y"}, {HostName: "y", Name: "x"}}, "x y", ""},
		{"template without room", "x", tenNames, []configs.NetDevice{{HostName: "x", Name: "fourteenletter%d"}}, "", `linux.netDevices["x"]: no name like "fourteenletter%d" is free in the container`},
		{"taken", "x", "y", []configs.NetDevice{{HostName: "x", Name: "y"}}, "", `linux.netDevices["x"]: the container has an interface "y" already: file exists`},
		{"taken by lo", "x", "", []configs.NetDevice{{HostName: "x", Name: "lo"}}, "", `linux.netDevices["x"]: the container has an interface "lo" already: file exists`},
		{"missing", "x", "", []configs.NetDevice{{HostName: "absent", Name: "y"}}, "", `linux.netDevices["absent"]: no such network interface: "absent"`},
		{"second missing", "x", "", []configs.NetDevice{{HostName: "x", Name: "y"}, {HostName: "absent", Name: "z"}}, "", `linux.netDevices["absent"]: no such network interface: "absent"`},
		{"lo cannot", "x", "", []configs.NetDevice{{HostName: "lo", Name: "lo1"}}, "", `linux.netDevices["lo"]: move to the other network namespace as "lo1": invalid argument (its kind may be bound to a namespace)`},
	}
	for _, test := range tests {
		ns := newNamespace(t)
		add := func(ns *os.File, names string) {
			for _, n := range strings.Fields(names) {
				ip(t, ns, "link add "+n+" type veth\n")
			}
		}
		add(nil, test.host)
		add(ns, test.inside)
		m, err := MoveDevices(ns, test.devices)
		if test.err != "" {
			if err == nil || err.Error() != test.err {
				t.Errorf("%s: error %v, want %s", test.name, err, test.err)
			}
			if got := sorted(links(t, nil)); got != test.host {
				t.Errorf("%s: on the host: %s, want %s", test.name, got, test.host)
			}
			if got := sorted(links(t, ns)); got != test.inside {
				t.Errorf("%s: in the container: %s, want %s", test.name, got, test.inside)
			}
		} else if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else {
			if got := sorted(links(t, ns)); got != test.want {
				t.Errorf("%s: in the container: %s, want %s", test.name, got, test.want)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
		for _, n := range strings.Fields(links(t, nil)) {
			ip(t, nil, "link del "+n)
		}
	}
}

// tenNames are ten names after which no eleventh of this form is possible.
const tenNames = "fourteenletter0 fourteenletter1 fourteenletter2 fourteenletter3 fourteenletter4 " +
	"fourteenletter5 fourteenletter6 fourteenletter7 fourteenletter8 fourteenletter9"

// TestMoveIntoOwn: a joined namespace may turn out to be the host's.
func TestMoveIntoOwn(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ip(t, nil, "link add x type veth\n")
	f, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = MoveDevices(f, []configs.NetDevice{{HostName: "x", Name: "y"}})
	if err == nil || err.Error() != "linux.netDevices: unable to move network devices without a private NET namespace" {
		t.Error(err)
	}
	if got := links(t, nil); got != "x" {
		t.Errorf("links %s", got)
	}
}

// TestMoveRefused: a device that may not be moved loses nothing by the attempt.
func TestMoveRefused(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ip(t, nil, "link set lo up\nroute add 198.51.100.0/24 dev lo\n")
	if _, err := MoveDevices(newNamespace(t), []configs.NetDevice{{HostName: "lo", Name: "lo1"}}); err == nil {
		t.Fatal("lo has moved")
	}
	contains(t, ip(t, nil, "route show"), "198.51.100.0/24 dev lo")
}

// TestMoveBackNameTaken: another device of the same name is not mistaken for the one to move
// back.
func TestMoveBackNameTaken(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ns := newNamespace(t)
	ip(t, nil, "link add x type veth\n")
	m, err := MoveDevices(ns, []configs.NetDevice{{HostName: "x", Name: "y"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ip(t, nil, "link add x type veth\n")
	if err := m.Back(); !errors.Is(err, unix.EEXIST) {
		t.Errorf("error %v", err)
	}
}

// TestMoveVeth: one end is moved, and the pair still works.
func TestMoveVeth(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ns := newNamespace(t)
	ip(t, nil, "link add v0 type veth peer name v1\naddr add 192.0.2.1/24 dev v0\naddr add 192.0.2.2/24 dev v1\nlink set v0 up\n")
	m, err := MoveDevices(ns, []configs.NetDevice{{HostName: "v1", Name: "eth0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	contains(t, ip(t, ns, "addr show dev eth0"), "LOWER_UP", "192.0.2.2/24")
	contains(t, ip(t, nil, "link show dev v0"), "LOWER_UP")
	contains(t, ip(t, ns, "route get 192.0.2.1"), "dev eth0")
}

// TestMoveRefusedAddress: a failure after the move itself is also undone.
func TestMoveRefusedAddress(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ns := newNamespace(t)
	cmd := exec.Command("nsenter", "--net=/proc/self/fd/3", "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
	cmd.ExtraFiles = []*os.File{ns}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sysctl: %v: %s", err, out)
	}
	ip(t, nil, twoAddresses)
	_, err := MoveDevices(ns, []configs.NetDevice{{HostName: "eth9", Name: "net0"}})
	if err == nil || !strings.HasPrefix(err.Error(), `linux.netDevices["eth9"]: add address 2001:db8:`) {
		t.Fatal(err)
	}
	if got := links(t, ns); got != "" {
		t.Errorf("left in the container: %s", got)
	}
	contains(t, ip(t, nil, "addr show dev eth9"), ",UP", "192.0.2.5/24", "2001:db8::5/64")
}

func TestLabel(t *testing.T) {
	for _, test := range []struct{ old, host, name, want string }{
		{"eth0", "eth0", "net1", "net1"},
		{"eth0:web", "eth0", "net1", "net1:web"},
		{"eth0:web", "eth0", "fourteen-chars", ""},
		{"other", "eth0", "net1", ""},
		{"", "eth0", "net1", ""},
	} {
		if got := label(test.old, test.host, test.name); got != test.want {
			t.Errorf("label(%q, %q, %q) = %q, want %q", test.old, test.host, test.name, got, test.want)
		}
	}
}

func sorted(names string) string {
	f := strings.Fields(names)
	slices.Sort(f)
	return strings.Join(f, " ")
}
