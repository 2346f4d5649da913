// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// Filters is what Compare finds at a v2 cgroup.
type Filters struct {
	// Asked is set if the cgroup does what the rules say: one of its filters is the one that
	// [Attach] makes of them, or they allow everything and it has none.
	Asked bool
	// Others is how many other filters apply as well, those of the cgroups above included. Each can
	// only deny more.
	Others int
}

// Compare compares the filters of the v2 cgroup that dir is open on with those that Attach makes
// of the rules. To have the kernel's tag of it, it loads such a filter, and attaches none.
func Compare(dir *os.File, rules []configs.DeviceRule) (Filters, error) {
	defer runtime.KeepAlive(dir)
	own, err := query(int(dir.Fd()), 0)
	if err != nil {
		return Filters{}, err
	}
	applied, err := query(int(dir.Fd()), unix.BPF_F_QUERY_EFFECTIVE)
	if err != nil {
		return Filters{}, err
	}
	found := Filters{Others: len(applied.ids)}
	list, verdict := effective(rules)
	if len(list) == 0 && verdict {
		found.Asked = len(own.ids) == 0
		return found, nil
	}
	prog, err := load(program(list, verdict))
	if err != nil {
		return Filters{}, err
	}
	defer unix.Close(prog)
	want, err := tagOf(prog)
	if err != nil {
		return Filters{}, err
	}
	for _, id := range own.ids {
		fd, err := openByID(id)
		if err != nil {
			return Filters{}, err
		}
		have, err := tagOf(fd)
		unix.Close(fd)
		if err != nil {
			return Filters{}, err
		}
		if have == want && !found.Asked {
			found.Asked = true
			found.Others--
		}
	}
	return found, nil
}

// tag is a hash of a program's instructions, as they were loaded.
type tag [8]byte

func tagOf(prog int) (tag, error) {
	// The beginning of struct bpf_prog_info; the kernel fills as much as there is.
	var info struct {
		kind, id uint32
		tag      tag
	}
	var pin runtime.Pinner // the kernel's view of info is an integer
	defer pin.Unpin()
	pin.Pin(&info)
	attr := struct {
		prog, size uint32
		info       uint64
	}{uint32(prog), uint32(unsafe.Sizeof(info)), uint64(uintptr(unsafe.Pointer(&info)))}
	if _, err := bpf(unix.BPF_OBJ_GET_INFO_BY_FD, &attr); err != nil {
		return tag{}, fmt.Errorf("bpf: look at a device filter: %w", err)
	}
	return info.tag, nil
}

// Listed compares the text of devices.list with what [Legacy] makes of the rules. known is false
// where the kernel does not show it: of a cgroup that allows everything it does not list what is
// denied after all.
func Listed(text string, rules []configs.DeviceRule) (same, known bool, err error) {
	lists, err := Legacy(rules)
	if err != nil {
		return false, false, err
	}
	have := accesses(strings.Split(text, "\n"))
	if lists.AllowFirst {
		same = len(have) == 1 && have["a *:*"] == all
		return same, !same || len(lists.Deny) == 0, nil
	}
	want := accesses(lists.Allow)
	if len(want) != len(have) {
		return false, true, nil
	}
	for device, access := range want {
		if have[device] != access {
			return false, true, nil
		}
	}
	return true, true, nil
}

// accesses returns which accesses the lines of devices.list allow to which devices ("c 1:3").
func accesses(lines []string) map[string]uint32 {
	found := make(map[string]uint32)
	for _, line := range lines {
		words := strings.Fields(line)
		if len(words) != 3 {
			continue
		}
		r := configs.DeviceRule{
			Read: strings.Contains(words[2], "r"), Write: strings.Contains(words[2], "w"), Mknod: strings.Contains(words[2], "m"),
		}
		found[words[0]+" "+words[1]] |= access(&r)
	}
	return found
}

// Text formats what the rules come to: "allow c 1:3 rwm, c 5:* rwm; deny the rest".
func Text(rules []configs.DeviceRule) string {
	list, verdict := effective(rules)
	words := map[bool]string{true: "allow", false: "deny"}
	var b bytes.Buffer
	for i, r := range slices.Backward(list) {
		switch {
		case i == len(list)-1:
			b.WriteString(words[r.Allow] + " ")
		case list[i+1].Allow != r.Allow:
			b.WriteString("; " + words[r.Allow] + " ")
		default:
			b.WriteString(", ")
		}
		b.Write(appendRule(nil, &r))
	}
	if len(list) == 0 {
		return words[verdict] + " all"
	}
	return b.String() + "; " + words[verdict] + " the rest"
}
