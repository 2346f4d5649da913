// SPDX-License-Identifier: Apache-2.0

package options

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestLimits(t *testing.T) {
	var o Limits
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.Declare(f)
	err := f.Parse([]string{
		"--memory=64m", "--memory-swap=-1", "--memory-reservation=1k", "--kernel-memory=1", "--kernel-memory-tcp=2k",
		"--cpu-period=100000", "--cpu-quota=-1", "--cpu-burst=0", "--cpu-idle=0", "--cpu-share=512",
		"--cpu-rt-period=5", "--cpu-rt-runtime=4", "--cpuset-cpus=0-1", "--cpuset-mems=0",
		"--blkio-weight=300", "--pids-limit=-1", "--l3-cache-schema=L3:0=f", "--mem-bw-schema=MB:0=20",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := o.Schemata(); !slices.Equal(got, []string{"L3:0=f", "MB:0=20"}) {
		t.Errorf("schemata %q", got)
	}
	r, err := o.Parse()
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
	for _, bad := range []Limits{{memory: "1xx"}, {quota: "1.5"}, {shares: "-1"}, {blkioWeight: "70000"}, {pids: "x"}, {kernel: "y"}} {
		if _, err := bad.Parse(); err == nil || !strings.HasPrefix(err.Error(), "invalid value for ") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
