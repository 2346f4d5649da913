// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// Each option must reach criu, and no other option may change.
func TestCriuOptions(t *testing.T) {
	plain, err := rpcOptions(new(options.CRIU))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		o    options.CRIU
		want func(*rpc.CriuOpts)
	}{
		"TCPEstablished": {options.CRIU{TCPEstablished: true}, func(o *rpc.CriuOpts) { o.TcpEstablished = Ptr(true) }},
		"ExtUnixSk":      {options.CRIU{ExtUnixSk: true}, func(o *rpc.CriuOpts) { o.ExtUnixSk = Ptr(true) }},
		"ShellJob":       {options.CRIU{ShellJob: true}, func(o *rpc.CriuOpts) { o.ShellJob = Ptr(true) }},
		"FileLocks":      {options.CRIU{FileLocks: true}, func(o *rpc.CriuOpts) { o.FileLocks = Ptr(true) }},
		"LazyPages":      {options.CRIU{LazyPages: true}, func(o *rpc.CriuOpts) { o.LazyPages = Ptr(true) }},
		"AutoDedup":      {options.CRIU{AutoDedup: true}, func(o *rpc.CriuOpts) { o.AutoDedup = Ptr(true) }},
		"LinkRemap":      {options.CRIU{LinkRemap: true}, func(o *rpc.CriuOpts) { o.LinkRemap = Ptr(true) }},
		"EmptyNetwork":   {options.CRIU{EmptyNetwork: true}, func(o *rpc.CriuOpts) { o.EmptyNs = Ptr(uint32(unix.CLONE_NEWNET)) }},
		"PageServer": {options.CRIU{PageServer: &options.PageServer{Address: "::1", Port: 77}}, func(o *rpc.CriuOpts) {
			o.Ps = &rpc.CriuPageServerInfo{Address: Ptr("::1"), Port: Ptr(int32(77))}
		}},
		"soft":     {options.CRIU{ManageCgroupsMode: "soft"}, func(*rpc.CriuOpts) {}},
		"full":     {options.CRIU{ManageCgroupsMode: "full"}, func(o *rpc.CriuOpts) { o.ManageCgroupsMode = Ptr(rpc.CriuCgMode_FULL) }},
		"strict":   {options.CRIU{ManageCgroupsMode: "strict"}, func(o *rpc.CriuOpts) { o.ManageCgroupsMode = Ptr(rpc.CriuCgMode_STRICT) }},
		"ignore":   {options.CRIU{ManageCgroupsMode: "ignore"}, func(o *rpc.CriuOpts) { o.ManageCgroupsMode = Ptr(rpc.CriuCgMode_IGNORE) }},
		"iptables": {options.CRIU{NetworkLock: "iptables"}, func(o *rpc.CriuOpts) { o.NetworkLock = Ptr(rpc.CriuNetworkLockMethod_IPTABLES) }},
		"nftables": {options.CRIU{NetworkLock: "nftables"}, func(o *rpc.CriuOpts) { o.NetworkLock = Ptr(rpc.CriuNetworkLockMethod_NFTABLES) }},
		"skip":     {options.CRIU{NetworkLock: "skip"}, func(o *rpc.CriuOpts) { o.NetworkLock = Ptr(rpc.CriuNetworkLockMethod_SKIP) }},
	}
	for name, test := range tests {
		got, err := rpcOptions(&test.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := plain.CloneVT()
		test.want(want)
		if !got.EqualVT(want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	// A new field needs a row here.
	fields := reflect.TypeOf(options.CRIU{})
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		switch _, ok := tests[name]; {
		case ok:
		case name == "Criu", name == "ImagePath", name == "WorkPath", name == "ManageCgroupsMode", name == "NetworkLock":
		default:
			t.Errorf("no test for %s", name)
		}
	}
}

func TestBadCriuOptions(t *testing.T) {
	for _, test := range []struct {
		o    options.CRIU
		text string
	}{
		{options.CRIU{ManageCgroupsMode: "props"}, `manage-cgroups-mode: unknown mode "props"`},
		{options.CRIU{NetworkLock: "none"}, `network-lock: unknown method "none"`},
	} {
		if _, err := rpcOptions(&test.o); err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%+v: %v, want %s", test.o, err, test.text)
		}
	}
}

func TestCriuConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conf")
	if _, err := configFile(map[string]string{configs.CriuConfigAnnotation: path}); err == nil || !strings.Contains(err.Error(), configs.CriuConfigAnnotation) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := configFile(map[string]string{configs.CriuConfigAnnotation: path}); err != nil || got == nil || *got != path {
		t.Errorf("a file: %v, %v", got, err)
	}
	if got, err := configFile(map[string]string{configs.CriuConfigAnnotation: ""}); err != nil || got != nil {
		t.Errorf("no file: %v, %v", got, err)
	}
}

func TestPathInHierarchy(t *testing.T) {
	mounts := []cgroupfs.Mount{
		{Point: "/sys/fs/cgroup/cpu", Root: "/"},
		{Point: "/sys/fs/cgroup/memory", Root: "/above"},
		{Point: "/sys/fs/cgroup", Root: "/", V2: true},
	}
	for dir, want := range map[string]string{
		"/sys/fs/cgroup/a/b": "/a/b", "/sys/fs/cgroup": "",
	} {
		if got, err := pathInHierarchy(dir, mounts); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", dir, got, err, want)
		}
	}
	mounts = mounts[:2]
	for dir, want := range map[string]string{
		"/sys/fs/cgroup/cpu/a": "/a", "/sys/fs/cgroup/memory/a": "/above/a",
	} {
		if got, err := pathInHierarchy(dir, mounts); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", dir, got, err, want)
		}
	}
	if got, err := pathInHierarchy("/sys/fs/cgroup/cpuset/a", mounts); err == nil {
		t.Errorf("options for a hierarchy that is not mounted: %q", got)
	}
}
