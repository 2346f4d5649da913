// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestUpdateOptions(t *testing.T) {
	var o updateOptions
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.declare(f)
	err := f.Parse([]string{
		"--memory=64m", "--memory-swap=-1", "--memory-reservation=1k", "--kernel-memory=1", "--kernel-memory-tcp=2k",
		"--cpu-period=100000", "--cpu-quota=-1", "--cpu-burst=0", "--cpu-idle=0", "--cpu-share=512",
		"--cpu-rt-period=5", "--cpu-rt-runtime=4", "--cpuset-cpus=0-1", "--cpuset-mems=0",
		"--blkio-weight=300", "--pids-limit=-1", "--l3-cache-schema=L3:0=f", "--mem-bw-schema=MB:0=20",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := o.schemata(); !slices.Equal(got, []string{"L3:0=f", "MB:0=20"}) {
		t.Errorf("schemata %q", got)
	}
	r, err := o.parse()
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(r)
	const want = `{"memory":{"limit":67108864,"reservation":1024,"swap":-1,"kernelTCP":2048},` +
		`"cpu":{"shares":512,"quota":-1,"burst":0,"period":100000,"realtimeRuntime":4,"realtimePeriod":5,"cpus":"0-1","mems":"0","idle":0},` +
		`"pids":{"limit":-1},"blockIO":{"weight":300}}`
	if string(got) != want || err != nil {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
	for _, bad := range []updateOptions{{memory: "1xx"}, {quota: "1.5"}, {shares: "-1"}, {blkioWeight: "70000"}, {pids: "x"}, {kernel: "y"}} {
		if _, err := bad.parse(); err == nil || !strings.HasPrefix(err.Error(), "invalid value for ") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestDocumentIsTooLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long")
	for _, test := range []struct {
		size int64
		want string
	}{{maxDocument, ""}, {maxDocument + 1, path + ": more than 1 MiB"}} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, test.size); err != nil {
			t.Fatal(err)
		}
		a := newApp("berth", nil, nil, nil)
		text, err := a.readDocument(path)
		if test.want == "" {
			if err != nil || int64(len(text)) != test.size {
				t.Errorf("%d bytes: %d read, %v", test.size, len(text), err)
			}
		} else if err == nil || err.Error() != test.want {
			t.Errorf("%d bytes: %v, want %s", test.size, err, test.want)
		}
	}
}

// TestResourcesDocument: the document overrides all other options.
func TestResourcesDocument(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.json")
	if err := os.WriteFile(file, []byte(`{"pids":{"limit":7}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	stdin, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	a := newApp("berth", stdin, nil, nil)
	for _, from := range []string{file, "-"} {
		r, err := a.newResources(&updateOptions{resources: from, memory: "nonsense"})
		if err != nil || r.Memory != nil || *r.Pids.Limit != 7 {
			t.Errorf("%s: %+v, %v", from, r, err)
		}
	}
	if _, err := a.newResources(&updateOptions{resources: "-"}); err == nil || !strings.Contains(err.Error(), "standard input: line 1") {
		t.Errorf("an empty document: %v", err)
	}
}
