// SPDX-License-Identifier: Apache-2.0

package options

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer"
	"github.com/spf13/pflag"
)

func TestParsePageServer(t *testing.T) {
	for text, want := range map[string]libcontainer.PageServer{
		"127.0.0.1:27": {Address: "127.0.0.1", Port: 27}, "[::1]:65535": {Address: "::1", Port: 65535},
		"::1:27": {Address: "::1", Port: 27},
	} {
		if got, err := ParsePageServer(text); err != nil || *got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"": "ADDRESS:PORT", "127.0.0.1": "ADDRESS:PORT", ":27": "ADDRESS:PORT", "host:27": "not an IP address",
		"127.0.0.1:": "invalid port", "127.0.0.1:0": "invalid port", "127.0.0.1:65536": "invalid port", "127.0.0.1:x": "invalid port",
	} {
		if got, err := ParsePageServer(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %s", text, got, err, want)
		}
	}
}

func FuzzParsePageServer(f *testing.F) {
	f.Add("[::1]:27")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParsePageServer(text)
		if err == nil && (s.Port < 1 || s.Port > 65535 || !netip.MustParseAddr(s.Address).IsValid()) {
			t.Errorf("%q: %+v", text, s)
		}
	})
}

func TestPaths(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ args, images, work string }{
		"default":  {"", filepath.Join(here, "checkpoint"), ""},
		"relative": {"--image-path=a --work-path=../b", filepath.Join(here, "a"), filepath.Join(filepath.Dir(here), "b")},
		"absolute": {"--image-path=/a/. --work-path=/b", "/a", "/b"},
	} {
		var o CRIU
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		o.Declare(f, "saved")
		if err := f.Parse(strings.Fields(test.args)); err != nil {
			t.Fatal(err)
		}
		if err := o.Complete("/opt/criu"); err != nil || o.ImagePath != test.images || o.WorkPath != test.work || o.Criu != "/opt/criu" {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}

func TestEmptyNS(t *testing.T) {
	o := CRIU{emptyNS: []string{"network"}}
	if err := o.Complete("/opt/criu"); err != nil || !o.EmptyNetwork {
		t.Errorf("network: %+v, %v", o, err)
	}
	o = CRIU{emptyNS: []string{"network", "pid"}}
	if err := o.Complete("/opt/criu"); err == nil || !strings.Contains(err.Error(), `--empty-ns: namespace "pid" is not supported`) {
		t.Errorf("pid: %v", err)
	}
}
