// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// values returns the properties by name, without the fields for errors.
func values(properties []property) map[string]any {
	m := make(map[string]any)
	for _, p := range properties {
		m[p.name] = p.value
	}
	return m
}

func resources(edit func(r *specs.LinuxResources)) *specs.LinuxResources {
	r := new(specs.LinuxResources)
	edit(r)
	return r
}

func cpu(c specs.LinuxCPU) *specs.LinuxResources { return &specs.LinuxResources{CPU: &c} }

func memory(m specs.LinuxMemory) *specs.LinuxResources { return &specs.LinuxResources{Memory: &m} }

func raw(keys ...string) *specs.LinuxResources {
	m := make(map[string]string)
	for i := 0; i < len(keys); i += 2 {
		m[keys[i]] = keys[i+1]
	}
	return &specs.LinuxResources{Unified: m}
}

func device(major, minor int64) specs.LinuxThrottleDevice {
	var d specs.LinuxThrottleDevice
	d.Major, d.Minor = major, minor
	return d
}

func TestResourceProperties(t *testing.T) {
	rate := device(8, 16)
	rate.Rate = 5
	weight := specs.LinuxWeightDevice{Weight: new(uint16(1000))}
	weight.Major = 8
	io := resources(func(r *specs.LinuxResources) {
		r.BlockIO = &specs.LinuxBlockIO{
			Weight: new(uint16(500)), WeightDevice: []specs.LinuxWeightDevice{weight, {}},
			ThrottleReadBpsDevice:   []specs.LinuxThrottleDevice{rate, device(8, 0)},
			ThrottleWriteBpsDevice:  []specs.LinuxThrottleDevice{rate},
			ThrottleReadIOPSDevice:  []specs.LinuxThrottleDevice{rate},
			ThrottleWriteIOPSDevice: []specs.LinuxThrottleDevice{rate},
		}
	})
	five := []deviceValue{{"/dev/block/8:16", 5}}
	fiveOrNone := []deviceValue{{"/dev/block/8:16", 5}, {"/dev/block/8:0", infinity}}
	type props = map[string]any
	tests := []struct {
		name   string
		r      *specs.LinuxResources
		v2, v1 props
		err    string
	}{
		{name: "none", r: &specs.LinuxResources{}},
		{name: "nil"},
		{name: "zeros", r: resources(func(r *specs.LinuxResources) {
			r.Memory = &specs.LinuxMemory{Limit: new(int64), Swap: new(int64), Reservation: new(int64)}
			r.CPU = &specs.LinuxCPU{Shares: new(uint64), Quota: new(int64), Period: new(uint64)}
			r.Pids, r.BlockIO = &specs.LinuxPids{}, &specs.LinuxBlockIO{Weight: new(uint16)}
		})},
		{
			name: "memory", r: memory(specs.LinuxMemory{Limit: new(int64(100)), Swap: new(int64(150)), Reservation: new(int64(50))}),
			v2: props{"MemoryMax": uint64(100), "MemoryLow": uint64(50), "MemorySwapMax": uint64(50)},
			v1: props{"MemoryLimit": uint64(100)},
		},
		{
			name: "memory without limit", r: memory(specs.LinuxMemory{Limit: new(int64(-1))}),
			v2: props{"MemoryMax": infinity, "MemorySwapMax": infinity}, v1: props{"MemoryLimit": infinity},
		},
		{name: "negative memory is for the kernel to refuse", r: memory(specs.LinuxMemory{Limit: new(int64(-5)), Reservation: new(int64(-2))})},
		{name: "swap below memory", r: memory(specs.LinuxMemory{Limit: new(int64(100)), Swap: new(int64(50))}), err: "linux.resources.memory.swap: memory+swap limit"},
		{name: "shares", r: cpu(specs.LinuxCPU{Shares: new(uint64(1024))}), v2: props{"CPUWeight": uint64(100)}, v1: props{"CPUShares": uint64(1024)}},
		{
			name: "period", r: cpu(specs.LinuxCPU{Period: new(uint64(5000))}),
			v2: props{"CPUQuotaPeriodUSec": uint64(5000)}, v1: props{"CPUQuotaPeriodUSec": uint64(5000)},
		},
		{name: "few shares", r: cpu(specs.LinuxCPU{Shares: new(uint64(1))}), v2: props{"CPUWeight": uint64(1)}, v1: props{"CPUShares": uint64(2)}},
		{name: "many shares", r: cpu(specs.LinuxCPU{Shares: new(uint64(1 << 40))}), v2: props{"CPUWeight": uint64(10000)}, v1: props{"CPUShares": uint64(262144)}},
		{name: "idle", r: cpu(specs.LinuxCPU{Shares: new(uint64(1024)), Idle: new(int64(1))})},
		{name: "not idle", r: cpu(specs.LinuxCPU{Shares: new(uint64(1024)), Idle: new(int64(0))}), v2: props{"CPUWeight": uint64(100)}, v1: props{"CPUShares": uint64(1024)}},
		{
			name: "cpus", r: cpu(specs.LinuxCPU{Cpus: "0-2,9", Mems: "1"}),
			v2: props{"AllowedCPUs": []byte{7, 2}, "AllowedMemoryNodes": []byte{2}},
		},
		{name: "cpus in words of the kernel", r: cpu(specs.LinuxCPU{Cpus: "0-7:2/4", Mems: "all"})},
		{name: "pids", r: resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: new(int64(7))} }), v2: props{"TasksMax": uint64(7)}, v1: props{"TasksMax": uint64(7)}},
		{name: "no pids", r: resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: new(int64(0))} }), v2: props{"TasksMax": uint64(1)}, v1: props{"TasksMax": uint64(1)}},
		{name: "all pids", r: resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: new(int64(-1))} }), v2: props{"TasksMax": infinity}, v1: props{"TasksMax": infinity}},
		{
			name: "io", r: io,
			v2: props{
				"IOWeight": uint64(4950), "IODeviceWeight": []deviceValue{{"/dev/block/8:0", 10000}},
				"IOReadBandwidthMax": fiveOrNone, "IOWriteBandwidthMax": five, "IOReadIOPSMax": five, "IOWriteIOPSMax": five,
			},
			v1: props{
				"BlockIOWeight": uint64(500), "BlockIODeviceWeight": []deviceValue{{"/dev/block/8:0", 1000}},
				"BlockIOReadBandwidth": fiveOrNone, "BlockIOWriteBandwidth": five,
			},
		},
		{
			name: "unified sizes", r: raw("memory.min", "1", "memory.low", "0", "memory.high", "3\n", "memory.max", "max", "memory.swap.max", "0", "memory.zswap.max", "6", "pids.max", "0"),
			v2: props{
				"MemoryMin": uint64(1), "MemoryLow": uint64(0), "MemoryHigh": uint64(3), "MemoryMax": infinity,
				"MemorySwapMax": uint64(0), "MemoryZSwapMax": uint64(6), "TasksMax": uint64(1),
			},
		},
		{
			name: "unified cpu", r: raw("cpu.weight", "42", "cpu.max", "50000 200000", "cpuset.cpus", "1", "cpuset.mems", "0"),
			v2: props{
				"CPUWeight": uint64(42), "CPUQuotaPerSecUSec": uint64(250000), "CPUQuotaPeriodUSec": uint64(200000),
				"AllowedCPUs": []byte{2}, "AllowedMemoryNodes": []byte{1},
			},
		},
		{name: "unified cpu.max", r: raw("cpu.max", "max"), v2: props{"CPUQuotaPerSecUSec": infinity}},
		{
			name: "unified io", r: raw("io.weight", "default 7\n8:0 9", "io.max", "8:16 rbps=5 wiops=max\n8:0 riops=5 rbps=6", "io.latency", "8:0 target=10"),
			v2: props{
				"IOWeight": uint64(7), "IODeviceWeight": []deviceValue{{"/dev/block/8:0", 9}},
				"IOReadBandwidthMax": []deviceValue{{"/dev/block/8:16", 5}, {"/dev/block/8:0", 6}},
				"IOReadIOPSMax":      []deviceValue{{"/dev/block/8:0", 5}}, "IOWriteIOPSMax": []deviceValue{{"/dev/block/8:16", infinity}},
				"IODeviceLatencyTargetUSec": []deviceValue{{"/dev/block/8:0", 10}},
			},
		},
		{name: "unified rubbish", r: raw("memory.max", "5G", "memory.high", "0", "cpu.max", "1 x", "cpu.weight", "x", "io.weight", "a:b 7", "io.max", "rbps=1", "pids.max", "-1", "memory.oom.group", "1")},
		{
			name: "unified has the last word", v2: props{"MemoryMax": uint64(9)}, v1: props{"MemoryLimit": uint64(5)},
			r: resources(func(r *specs.LinuxResources) {
				r.Memory, r.Unified = &specs.LinuxMemory{Limit: new(int64(5))}, map[string]string{"memory.max": "9"}
			}),
		},
	}
	for _, tt := range tests {
		for unified, want := range map[bool]props{true: tt.v2, false: tt.v1} {
			got, err := resourceProperties(tt.r, unified)
			if tt.err != "" {
				if unified && (err == nil || !strings.HasPrefix(err.Error(), tt.err)) {
					t.Errorf("%s: error %v, want %s", tt.name, err, tt.err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			if g := values(got); len(g)+len(want) > 0 && !reflect.DeepEqual(g, want) {
				t.Errorf("%s: unified %v: got %v, want %v", tt.name, unified, g, want)
			}
		}
	}
}

// TestQuota: the time per second, rounded up to a hundredth.
func TestQuota(t *testing.T) {
	tests := []struct {
		quota  int64
		period uint64
		want   any
	}{
		{quota: 50000, period: 100000, want: uint64(500000)},
		{quota: 50000, want: uint64(500000)},
		{quota: 51234, period: 100000, want: uint64(520000)},
		{quota: 1, period: 1000000, want: uint64(10000)},
		{quota: 1000, period: 3000, want: uint64(340000)},
		{quota: 200000, period: 100000, want: uint64(2000000)},
		{quota: -1, period: 100000, want: infinity},
		{quota: -7, want: infinity},
		{quota: math.MaxInt64, period: 1},
		{quota: math.MaxInt64, period: 1 << 40, want: uint64(8388608000000)},
	}
	for _, tt := range tests {
		c := specs.LinuxCPU{Quota: &tt.quota}
		if tt.period != 0 {
			c.Period = &tt.period
		}
		got, err := resourceProperties(cpu(c), true)
		if err != nil {
			t.Fatal(err)
		}
		if v := values(got); v["CPUQuotaPerSecUSec"] != tt.want || (v["CPUQuotaPeriodUSec"] == tt.period) != (tt.period != 0) {
			t.Errorf("%d in %d: got %v, want %v", tt.quota, tt.period, v, tt.want)
		}
	}
}

func TestBitMask(t *testing.T) {
	for text, want := range map[string][]byte{
		"0": {1}, "0,2-4": {0x1d}, "8": {0, 1}, "15,0": {1, 0x80}, " 1 , 2": {6}, "0-15": {0xff, 0xff},
		"": nil, "x": nil, "1-": nil, "-1": nil, "3-2": nil, "1,": nil, "0-7:1/2": nil, "65536": nil, "0-4294967295": nil,
	} {
		if got, ok := bitMask(text); !reflect.DeepEqual(got, want) || ok != (want != nil) {
			t.Errorf("%q: got %v, %v, want %v", text, got, ok, want)
		}
	}
}

func FuzzBitMask(f *testing.F) {
	for _, s := range []string{"0-3,5", "", "1-", "65535", "9999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		mask, ok := bitMask(text)
		if ok != (len(mask) > 0) || len(mask) > mostBits/8 {
			t.Errorf("%q: %d bytes, %v", text, len(mask), ok)
		}
		if ok && mask[len(mask)-1] == 0 {
			t.Errorf("%q: ends with zeros: %v", text, mask)
		}
	})
}

func FuzzUnified(f *testing.F) {
	f.Add("cpu.max", "1 2")
	f.Add("io.max", "8:0 rbps=max\n")
	f.Add("io.weight", "default 1")
	f.Add("memory.max", "max")
	f.Fuzz(func(t *testing.T, file, value string) {
		properties, err := resourceProperties(raw(file, value), true)
		if err != nil {
			t.Fatal(err)
		}
		wire(properties) // panics for a value that there is no type for
	})
}

func TestDevicePolicy(t *testing.T) {
	const wild = configs.DeviceWildcard
	groups := func() []byte {
		return []byte("Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n  8 sd\n  1 ramdisk\n")
	}
	all := func(allow bool) configs.DeviceRule {
		return configs.DeviceRule{Allow: allow, Type: 'a', Major: wild, Minor: wild, Read: true, Write: true, Mknod: true}
	}
	rule := func(kind byte, major, minor int64, access string) configs.DeviceRule {
		return configs.DeviceRule{
			Allow: true, Type: kind, Major: major, Minor: minor,
			Read: strings.Contains(access, "r"), Write: strings.Contains(access, "w"), Mknod: strings.Contains(access, "m"),
		}
	}
	denied := rule('c', 1, 3, "rwm")
	denied.Allow = false
	tests := []struct {
		name   string
		rules  []configs.DeviceRule
		policy string
		want   []deviceAllow
	}{
		{"none", nil, "strict", nil},
		{"all", []configs.DeviceRule{all(false), rule('c', 1, 3, "rwm"), all(true), rule('c', 1, 3, "rwm")}, "auto", nil},
		{"none in the end", []configs.DeviceRule{all(true), all(false)}, "strict", nil},
		{"one", []configs.DeviceRule{all(false), rule('c', 1, 3, "rw"), rule('b', 8, 0, "m")}, "strict", []deviceAllow{{"/dev/char/1:3", "rw"}, {"/dev/block/8:0", "m"}}},
		{"groups", []configs.DeviceRule{rule('c', 136, wild, "rwm"), rule('b', 8, wild, "r"), rule('c', 8, wild, "r")}, "strict", []deviceAllow{{"char-pts", "rwm"}, {"block-sd", "r"}, {"char-8", "r"}}},
		{"wildcards", []configs.DeviceRule{rule('c', wild, wild, "m"), rule('b', wild, 3, "m")}, "strict", []deviceAllow{{"char-*", "m"}, {"block-*", "m"}}},
		{"no access to all", []configs.DeviceRule{rule('a', wild, wild, "wm"), rule('a', wild, wild, "rm"), rule('a', wild, wild, "rw")}, "strict", []deviceAllow{
			{"char-*", "wm"}, {"block-*", "wm"}, {"char-*", "rm"}, {"block-*", "rm"}, {"char-*", "rw"}, {"block-*", "rw"},
		}},
		{"all of one number", []configs.DeviceRule{rule('a', 1, 3, "rwm"), rule('a', wild, 3, "rwm"), rule('a', 1, wild, "rwm")}, "strict", []deviceAllow{
			{"/dev/char/1:3", "rwm"}, {"/dev/block/1:3", "rwm"}, {"char-*", "rwm"}, {"block-*", "rwm"}, {"char-mem", "rwm"}, {"block-ramdisk", "rwm"},
		}},
		{"all of one kind", []configs.DeviceRule{rule('c', wild, wild, "rwm")}, "strict", []deviceAllow{{"char-*", "rwm"}}},
		{"both kinds", []configs.DeviceRule{rule('a', 1, wild, "r")}, "strict", []deviceAllow{{"char-mem", "r"}, {"block-ramdisk", "r"}}},
		{"what is denied later is left to the other filter", []configs.DeviceRule{rule('c', 1, wild, "r"), denied}, "strict", []deviceAllow{{"char-mem", "r"}}},
	}
	for _, tt := range tests {
		policy, got := devicePolicy(tt.rules, groups)
		if policy != tt.policy || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %s %v, want %s %v", tt.name, policy, got, tt.policy, tt.want)
		}
	}
}
