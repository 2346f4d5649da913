// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Stats are the statistics of one group. The JSON is the "intel_rdt" of runc's `events`. What
// the machine does not have is left out.
type Stats struct {
	L3CacheInfo       *CacheInfo     `json:"l3_cache_info,omitempty"`
	L3CacheSchemaRoot string         `json:"l3_cache_schema_root,omitempty"`
	L3CacheSchema     string         `json:"l3_cache_schema,omitempty"`
	MemBwInfo         *BandwidthInfo `json:"mem_bw_info,omitempty"`
	MemBwSchemaRoot   string         `json:"mem_bw_schema_root,omitempty"`
	MemBwSchema       string         `json:"mem_bw_schema,omitempty"`
	// MBMStats and CMTStats have one element for each L3 cache, in the order of their numbers.
	MBMStats []BandwidthUse `json:"mbm_stats,omitempty"`
	CMTStats []CacheUse     `json:"cmt_stats,omitempty"`
}

// CacheInfo describes how the L3 caches can be divided. CBMMask is hexadecimal.
type CacheInfo struct {
	CBMMask    string `json:"cbm_mask,omitempty"`
	MinCBMBits uint64 `json:"min_cbm_bits,omitempty"`
	NumClosIDs uint64 `json:"num_closids,omitempty"`
}

// BandwidthInfo describes how the memory bandwidth can be divided, in percent.
type BandwidthInfo struct {
	Granularity uint64 `json:"bandwidth_gran,omitempty"`
	DelayLinear uint64 `json:"delay_linear,omitempty"`
	Minimum     uint64 `json:"min_bandwidth,omitempty"`
	NumClosIDs  uint64 `json:"num_closids,omitempty"`
}

// BandwidthUse is the memory traffic through one L3 cache, in bytes.
type BandwidthUse struct {
	Total uint64 `json:"mbm_total_bytes"`
	Local uint64 `json:"mbm_local_bytes"`
}

// CacheUse is how much of one L3 cache is in use, in bytes.
type CacheUse struct {
	Occupancy uint64 `json:"llc_occupancy"`
}

// Stats reads the statistics of the group dir. monitor is the container's own monitoring group,
// or "" to count everything in the group.
func (fs *FS) Stats(dir, monitor string) (*Stats, error) {
	if monitor == "" {
		monitor = dir
	}
	r := statsReader{fs: fs}
	s := &Stats{L3CacheInfo: r.cacheInfo(), MemBwInfo: r.bandwidthInfo()}
	root, group := r.text(filepath.Join(fs.root, "schemata")), r.text(filepath.Join(dir, "schemata"))
	if s.L3CacheInfo != nil {
		s.L3CacheSchemaRoot, s.L3CacheSchema = schemataOf(root, "L3"), schemataOf(group, "L3")
	}
	if s.MemBwInfo != nil {
		s.MemBwSchemaRoot, s.MemBwSchema = schemataOf(root, "MB"), schemataOf(group, "MB")
	}
	r.use(s, filepath.Join(monitor, "mon_data"))
	if r.err != nil {
		return nil, fmt.Errorf("resctrl: %w", r.err)
	}
	return s, nil
}

// statsReader reads files, and keeps the first error. A missing file is not an error: which
// files there are depends on the machine.
type statsReader struct {
	fs  *FS
	err error
}

// text returns a file's content without surrounding white space, "" if the file is missing.
func (r *statsReader) text(path string) string {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) && r.err == nil {
		r.err = err
	}
	return strings.TrimSpace(string(data))
}

// number returns the number in a file. A counter that the machine cannot read at the moment
// counts as 0.
func (r *statsReader) number(path string) uint64 {
	text := r.text(path)
	switch text {
	case "", "Unavailable", "Error":
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w", path, err)
	}
	return n
}

// info returns the first of these directories below info that exists, "" if the machine has
// none.
func (r *statsReader) info(names ...string) string {
	for _, name := range names {
		dir := filepath.Join(r.fs.root, "info", name)
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	return ""
}

func (r *statsReader) cacheInfo() *CacheInfo {
	dir := r.info("L3", "L3CODE") // L3CODE if code and data are divided separately
	if dir == "" {
		return nil
	}
	return &CacheInfo{
		CBMMask:    r.text(filepath.Join(dir, "cbm_mask")),
		MinCBMBits: r.number(filepath.Join(dir, "min_cbm_bits")),
		NumClosIDs: r.number(filepath.Join(dir, "num_closids")),
	}
}

func (r *statsReader) bandwidthInfo() *BandwidthInfo {
	dir := r.info("MB")
	if dir == "" {
		return nil
	}
	return &BandwidthInfo{
		Granularity: r.number(filepath.Join(dir, "bandwidth_gran")),
		DelayLinear: r.number(filepath.Join(dir, "delay_linear")),
		Minimum:     r.number(filepath.Join(dir, "min_bandwidth")),
		NumClosIDs:  r.number(filepath.Join(dir, "num_closids")),
	}
}

// use reads the counters below dir, as far as the machine has them.
func (r *statsReader) use(s *Stats, dir string) {
	features := strings.Fields(r.text(filepath.Join(r.fs.root, "info/L3_MON/mon_features")))
	if len(features) == 0 {
		return
	}
	traffic := slices.Contains(features, "mbm_total_bytes") || slices.Contains(features, "mbm_local_bytes")
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil && r.err == nil {
		r.err = err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "mon_L3_") {
			continue
		}
		cache := filepath.Join(dir, e.Name())
		if traffic {
			s.MBMStats = append(s.MBMStats, BandwidthUse{
				Total: r.number(filepath.Join(cache, "mbm_total_bytes")),
				Local: r.number(filepath.Join(cache, "mbm_local_bytes")),
			})
		}
		if slices.Contains(features, "llc_occupancy") {
			s.CMTStats = append(s.CMTStats, CacheUse{r.number(filepath.Join(cache, "llc_occupancy"))})
		}
	}
}

// schemataOf returns the lines of a schemata file whose resource begins with the name: there
// are two for an L3 cache if code and data are divided separately.
func schemataOf(schemata, resource string) string {
	var lines []string
	for line := range strings.Lines(schemata) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, resource) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
