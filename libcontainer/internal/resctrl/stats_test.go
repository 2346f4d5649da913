// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files writes texts into the fake tree, and makes directories for them.
func files(t *testing.T, f *FS, texts map[string]string) {
	t.Helper()
	for path, text := range texts {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(f.root, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, f, path, text)
	}
}

// machine has two L3 caches and every feature.
var machine = map[string]string{
	"info/L3/cbm_mask": "fffff\n", "info/L3/min_cbm_bits": "2\n", "info/L3/num_closids": "16\n",
	"info/MB/bandwidth_gran": "10\n", "info/MB/delay_linear": "1\n", "info/MB/min_bandwidth": "10\n", "info/MB/num_closids": "8\n",
	"info/L3_MON/mon_features":              "llc_occupancy\nmbm_total_bytes\nmbm_total_bytes_config\nmbm_local_bytes\n",
	"schemata":                              "    MB:0=100;1=100\n    L3:0=fffff;1=fffff\n",
	"gold/schemata":                         "    MB:0= 20;1= 70\n    L3:0=00003;1=fffff\n",
	"gold/mon_data/mon_L3_00/llc_occupancy": "4096\n", "gold/mon_data/mon_L3_00/mbm_total_bytes": "70\n", "gold/mon_data/mon_L3_00/mbm_local_bytes": "30\n",
	"gold/mon_data/mon_L3_01/llc_occupancy": "Unavailable\n", "gold/mon_data/mon_L3_01/mbm_total_bytes": "7\n", "gold/mon_data/mon_L3_01/mbm_local_bytes": "Error\n",
	"gold/mon_groups/c/mon_data/mon_L3_00/llc_occupancy": "64\n", "gold/mon_groups/c/mon_data/mon_L3_00/mbm_total_bytes": "2\n",
	"gold/mon_groups/c/mon_data/mon_L3_00/mbm_local_bytes": "1\n",
}

const allocation = `"l3_cache_info":{"cbm_mask":"fffff","min_cbm_bits":2,"num_closids":16},` +
	`"l3_cache_schema_root":"L3:0=fffff;1=fffff","l3_cache_schema":"L3:0=00003;1=fffff",` +
	`"mem_bw_info":{"bandwidth_gran":10,"delay_linear":1,"min_bandwidth":10,"num_closids":8},` +
	`"mem_bw_schema_root":"MB:0=100;1=100","mem_bw_schema":"MB:0= 20;1= 70"`

func TestStats(t *testing.T) {
	for _, test := range []struct {
		name    string
		files   map[string]string
		monitor string
		// without removes parts of the machine.
		without []string
		want    string
		err     string
	}{
		{
			name: "of a group", files: machine,
			want: `{` + allocation + `,"mbm_stats":[{"mbm_total_bytes":70,"mbm_local_bytes":30},{"mbm_total_bytes":7,"mbm_local_bytes":0}],` +
				`"cmt_stats":[{"llc_occupancy":4096},{"llc_occupancy":0}]}`,
		},
		{
			name: "of a monitoring group", files: machine, monitor: "gold/mon_groups/c",
			want: `{` + allocation + `,"mbm_stats":[{"mbm_total_bytes":2,"mbm_local_bytes":1}],"cmt_stats":[{"llc_occupancy":64}]}`,
		},
		{name: "no monitoring", files: machine, without: []string{"info/L3_MON"}, want: `{` + allocation + `}`},
		{
			name: "bandwidth alone", files: machine, without: []string{"info/L3_MON", "info/L3"},
			want: `{` + allocation[strings.Index(allocation, `"mem_bw_info"`):] + `}`,
		},
		{name: "nothing", files: map[string]string{"schemata": "L2:0=f\n", "gold/schemata": "L2:0=f\n"}, want: `{}`},
		{
			name: "code and data apart", files: map[string]string{
				"info/L3CODE/cbm_mask": "ff\n", "schemata": "L3DATA:0=ff\nL3CODE:0=ff\n", "gold/schemata": "L3DATA:0=f\nL3CODE:0=f0\n",
			},
			want: `{"l3_cache_info":{"cbm_mask":"ff"},"l3_cache_schema_root":"L3DATA:0=ff\nL3CODE:0=ff","l3_cache_schema":"L3DATA:0=f\nL3CODE:0=f0"}`,
		},
		{name: "nonsense", files: map[string]string{"info/L3/num_closids": "many\n"}, err: "info/L3/num_closids: strconv.ParseUint"},
		{name: "no counters", files: machine, monitor: "gold/mon_groups/gone", err: "no such file or directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := fake(t)
			files(t, f, test.files)
			for _, path := range test.without {
				if err := os.RemoveAll(filepath.Join(f.root, path)); err != nil {
					t.Fatal(err)
				}
			}
			monitor := test.monitor
			if monitor != "" {
				monitor = filepath.Join(f.root, monitor)
			}
			s, err := f.Stats(filepath.Join(f.root, "gold"), monitor)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := json.Marshal(s); string(got) != test.want || err != nil {
				t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}
