// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// request is one access that the kernel checks.
type request struct {
	kind         byte
	major, minor int64
	access       uint32
}

// allowed implements the meaning of rules: for each bit the last rule about it decides.
func allowed(rules []configs.DeviceRule, q request) bool {
	for bit := uint32(1); bit <= write; bit <<= 1 {
		if q.access&bit == 0 {
			continue
		}
		verdict := false
		for _, r := range rules {
			device := configs.DeviceRule{Type: q.kind, Major: q.major, Minor: q.minor}
			if covers(&r, &device) && access(&r)&bit != 0 {
				verdict = r.Allow
			}
		}
		if !verdict {
			return false
		}
	}
	return true
}

// requests has all requests that can differ with the numbers that parse knows.
func requests() []request {
	var all []request
	for _, kind := range []byte{'b', 'c'} {
		for major := range int64(4) {
			for minor := range int64(4) {
				for a := uint32(1); a <= 7; a++ {
					all = append(all, request{kind, major, minor, a})
				}
			}
		}
	}
	return all
}

// parse reads rules written "+c 1:* rw", separated by commas.
func parse(t testing.TB, text string) []configs.DeviceRule {
	t.Helper()
	var rules []configs.DeviceRule
	for part := range strings.SplitSeq(text, ",") {
		f := strings.Fields(part)
		if len(f) != 3 {
			t.Fatalf("bad rule %q", part)
		}
		major, minor, _ := strings.Cut(f[1], ":")
		number := func(s string) int64 {
			if s == "*" {
				return configs.DeviceWildcard
			}
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		rules = append(rules, configs.DeviceRule{
			Allow: f[0][0] == '+', Type: f[0][1], Major: number(major), Minor: number(minor),
			Read:  strings.Contains(f[2], "r"),
			Write: strings.Contains(f[2], "w"),
			Mknod: strings.Contains(f[2], "m"),
		})
	}
	return rules
}

// samples are real rule sets, and corner cases.
var samples = []string{
	"-a *:* rwm",
	"+a *:* rwm",
	"-a *:* rwm, +c *:* m, +b *:* m, +c 1:3 rwm, +c 1:2 rwm, +c 2:* rwm",
	"+a *:* rwm, +c *:* m, +c 1:3 rwm",
	"+a *:* rwm, -c 1:3 w",
	"+a *:* rwm, -c 1:3 w, +c 1:3 rwm",
	"-c 1:3 rwm, -a *:* rwm, +c 1:3 r",
	"+c 1:3 r, +c 1:3 w",
	"+c 1:3 rwm, -c 1:3 w",
	"+c 1:3 rw, -c 1:* w, +c 1:1 w",
	"+a 1:2 rw",
	"+a *:* r",
	"+a *:* rwm, -a 1:* w",
	"+c *:2 rwm, +c 1:* r",
	"+c *:* rwm, -c 1:3 rwm, +c 1:3 rwm",
	"+c *:* rwm, -c 1:3 rwm, -c *:* rwm, +c 1:3 r",
	"+c 0:0 rwm, +b 0:0 r",
	"+c *:* rwm, -c 1:3 w",
	"+a *:* rwm, -c *:* rwm, +c 1:3 rwm",
	"+c 1:* rwm, -c 1:3 w",
}

func TestProgram(t *testing.T) {
	for _, text := range samples {
		checkProgram(t, parse(t, text))
	}
}

func TestProgramRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		checkProgram(t, randomRules(rng.IntN))
	}
}

func FuzzProgram(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rules := randomRules(func(n int) int {
			if len(data) == 0 {
				return 0
			}
			v := int(data[0]) % n
			data = data[1:]
			return v
		})
		checkProgram(t, rules)
		checkLegacy(t, rules)
	})
}

// randomRules makes up to 8 rules over the devices of requests.
func randomRules(n func(int) int) []configs.DeviceRule {
	number := func() int64 {
		if n(3) == 0 {
			return configs.DeviceWildcard
		}
		return int64(n(4))
	}
	rules := make([]configs.DeviceRule, n(9))
	for i := range rules {
		bits := n(8)
		if n(3) == 0 {
			bits = 7
		}
		rules[i] = configs.DeviceRule{
			Allow: n(2) == 0, Type: "abcc"[n(4)], Major: number(), Minor: number(),
			Read: bits&read != 0, Write: bits&write != 0, Mknod: bits&mknod != 0,
		}
	}
	return rules
}

func checkProgram(t *testing.T, rules []configs.DeviceRule) {
	t.Helper()
	code := program(effective(rules))
	for _, q := range requests() {
		got, err := run(code, q)
		if err != nil {
			t.Fatalf("%s: %v", show(rules), err)
		}
		if want := allowed(rules, q); got != want {
			t.Fatalf("%s: %c %d:%d access %d: program says %v", show(rules), q.kind, q.major, q.minor, q.access, got)
		}
	}
}

// run interprets a program as the kernel would, and refuses unknown instructions, out-of-bounds
// accesses, and backward jumps.
func run(code []instruction, q request) (bool, error) {
	kind := uint32(devBlock)
	if q.kind == 'c' {
		kind = devChar
	}
	context := [3]uint32{q.access<<16 | kind, uint32(q.major), uint32(q.minor)}
	var reg [11]uint32
	var known [11]bool
	known[r1] = true
	for pc := 0; pc < len(code); pc++ {
		in := code[pc]
		dst, src := in.regs&15, in.regs>>4
		if registers(1, 0) != 1 {
			dst, src = src, dst
		}
		switch in.code {
		case opMove, opLoad, opMoveReg, opExit:
		default:
			if !known[dst] {
				return false, fmt.Errorf("instruction %d uses r%d, which is not set", pc, dst)
			}
		}
		jump := false
		switch in.code {
		case opLoad:
			if src != r1 || in.offset%4 != 0 || in.offset < 0 || in.offset > 8 {
				return false, fmt.Errorf("instruction %d: bad load %+v", pc, in)
			}
			reg[dst] = context[in.offset/4]
		case opMoveReg:
			reg[dst] = reg[src]
		case opMove:
			reg[dst] = uint32(in.imm)
		case opAnd:
			reg[dst] &= uint32(in.imm)
		case opShift:
			reg[dst] >>= uint32(in.imm)
		case opJumpEqual:
			jump = reg[dst] == uint32(in.imm)
		case opJumpOther:
			jump = reg[dst] != uint32(in.imm)
		case opJumpAny:
			jump = reg[dst]&uint32(in.imm) != 0
		case opExit:
			if !known[r0] {
				return false, fmt.Errorf("instruction %d: exit without a verdict", pc)
			}
			return reg[r0] == 1, nil
		default:
			return false, fmt.Errorf("instruction %d: unknown code %#x", pc, in.code)
		}
		known[dst] = true
		if jump {
			if in.offset < 0 {
				return false, fmt.Errorf("instruction %d: jump backwards", pc)
			}
			pc += int(in.offset)
		}
	}
	return false, errors.New("ran off the end")
}

func TestProgramNoAccess(t *testing.T) {
	code := program(effective(parse(t, "+c 1:3 r, -c 2:* rwm")))
	for minor, want := range map[int64]bool{3: true, 1: false} {
		got, err := run(code, request{kind: 'c', major: 1, minor: minor})
		if err != nil || got != want {
			t.Errorf("1:%d: %v, %v", minor, got, err)
		}
	}
}

func TestEffective(t *testing.T) {
	for text, want := range map[string]int{
		"-a *:* rwm":                           0,
		"+a *:* rwm, +c *:* m, +c 1:3 rwm":     0,
		"+c 1:3 rwm, +c 1:3 rwm":               1,
		"-c 1:1 rwm, +c 1:3 rwm":               1,
		"+c 1:3 r, +c 1:* rwm":                 1,
		"+a *:* rwm, -c 1:3 w, +c *:* m":       2,
		"+c 2:2 r, +a *:* rwm, -c 1:3 w":       1,
		"-a *:* rwm, -a *:* rwm, +c 1:1 r":     1,
		"+a *:* rwm, -a *:* rwm, -c 1:1 r":     0,
		"+c 1:3 rw, -c 1:* w, +c 1:3 w":        3,
		"+a *:* rwm, -c 1:3 w, +c 1:3 w":       0,
		"+a *:* rwm, -c 1:3 rwm, +c *:3 rwm":   0,
		"+c *:* rwm, -c 1:3 rwm, +c 1:3 rwm":   2,
		"+c *:* rwm, -c 1:3 rwm, -c *:* rwm":   0,
		"+c *:* rwm, -c 1:3 rwm, +c 1:3 rw":    3,
		"+c *:* rwm, -c 1:* rwm, +a *:* rwm":   0,
		"-a *:* rwm, +c 1:5 rwm, -c 1:5 rwm":   0,
		"-a *:* rwm, +c 1:5 rwm, -c 1:5 r":     2,
		"-a *:* rwm, +b 1:5 rwm, +b 1:5 r":     2,
		"-a *:* rwm, +b 1:5 rwm, +a *:* m":     2,
		"-a *:* rwm, +b 1:5 m, +a *:* m":       1,
		"-a *:* rwm, +c *:* m, +c *:* m":       1,
		"-a *:* rwm, +c 10:200 rwm, +c 5:2 rw": 2,
	} {
		if list, _ := effective(parse(t, text)); len(list) != want {
			t.Errorf("%s: %d rules, want %d", text, len(list), want)
		}
	}
}

func show(rules []configs.DeviceRule) string {
	var b []byte
	for i := range rules {
		b = append(b, "-+"[map[bool]int{true: 1}[rules[i].Allow]])
		b = append(appendRule(b, &rules[i]), ',', ' ')
	}
	return string(b)
}

// v1 is the kernel's device controller (security/device_cgroup.c).
type v1 struct {
	allow      bool
	exceptions []configs.DeviceRule
}

func (c *v1) write(t testing.TB, allow bool, line string) {
	t.Helper()
	if line[0] == 'a' {
		*c = v1{allow: allow}
		return
	}
	sign := "-"
	if allow {
		sign = "+"
	}
	r := parse(t, sign+line)[0]
	for i := range c.exceptions {
		e := &c.exceptions[i]
		if e.Type != r.Type || e.Major != r.Major || e.Minor != r.Minor {
			continue
		}
		if allow == c.allow {
			subtract(e, &r)
		} else {
			e.Read, e.Write, e.Mknod = e.Read || r.Read, e.Write || r.Write, e.Mknod || r.Mknod
		}
		return
	}
	if allow != c.allow {
		c.exceptions = append(c.exceptions, r)
	}
}

func (c *v1) allowed(q request) bool {
	device := configs.DeviceRule{Type: q.kind, Major: q.major, Minor: q.minor}
	for i := range c.exceptions {
		e := &c.exceptions[i]
		if !covers(e, &device) {
			continue
		}
		if c.allow && access(e)&q.access != 0 {
			return false
		}
		if !c.allow && q.access&^access(e) == 0 {
			return true
		}
	}
	return c.allow
}

// checkLegacy reports whether the rules could be expressed.
func checkLegacy(t *testing.T, rules []configs.DeviceRule) bool {
	t.Helper()
	lists, err := Legacy(rules)
	if err != nil {
		return false
	}
	c := v1{allow: true} // what a new cgroup inherits from the root
	writeAll := func(allow bool, lines []string) {
		for _, l := range lines {
			c.write(t, allow, l)
		}
	}
	if lists.AllowFirst {
		writeAll(true, lists.Allow)
		writeAll(false, lists.Deny)
	} else {
		writeAll(false, lists.Deny)
		writeAll(true, lists.Allow)
	}
	for _, q := range requests() {
		// The controller checks a request as a whole: one exception must allow all of it. So
		// only single bits have to agree, and nothing more may be allowed.
		got, want := c.allowed(q), allowed(rules, q)
		if got != want && (got || q.access&(q.access-1) == 0) {
			t.Fatalf("%s: %c %d:%d access %d: v1 says %v, with %+v", show(rules), q.kind, q.major, q.minor, q.access, got, lists)
		}
	}
	return true
}

func TestLegacy(t *testing.T) {
	for _, text := range samples {
		want := text != "+c 1:* rwm, -c 1:3 w"
		if got := checkLegacy(t, parse(t, text)); got != want {
			t.Errorf("%s: can be expressed: %v", text, got)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	could := 0
	for range 500 {
		if checkLegacy(t, randomRules(rng.IntN)) {
			could++
		}
	}
	if could < 100 {
		t.Errorf("only %d of 500 random sets could be expressed", could)
	}
}

func TestLegacyLines(t *testing.T) {
	lists, err := Legacy(parse(t, "-a *:* rwm, +c *:* m, +c 1:3 rwm, +c 1:3 rwm, +c 1:3 m, +c 136:* rwm, +c 136:4 rw"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(append(lists.Deny, lists.Allow...), "|")
	if want := "a|c *:* m|c 1:3 rwm|c 136:* rwm"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, err = Legacy(parse(t, "+c 1:* rwm, -c 1:3 w"))
	if err == nil || !strings.Contains(err.Error(), `cannot deny "c 1:3 w" while "c 1:* rwm" is allowed`) {
		t.Errorf("got %v", err)
	}
}

// TestLayout compares the structures with those of linux/bpf.h.
func TestLayout(t *testing.T) {
	if n := len(program(nil, false)); n != 8 {
		t.Errorf("an empty program has %d instructions", n)
	}
	if opLoad != 0x61 || opExit != 0x95 || opMove != 0xb4 || opJumpOther != 0x56 || opAnd != 0x54 || opShift != 0x74 || opMoveReg != 0xbc || opJumpEqual != 0x16 || opJumpAny != 0x46 {
		t.Error("operation codes differ from those of the instruction set")
	}
	if unix.BPF_CGROUP_DEVICE != 6 || unix.BPF_PROG_TYPE_CGROUP_DEVICE != 15 {
		t.Error("numbers of linux/bpf.h differ")
	}
}
