// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// Attach makes rules the device filter of the v2 cgroup that dir is open on, and replaces all
// filters that it has. fresh means that the caller has just created the cgroup, so that there
// are no others.
//
// The filters of the cgroups above still apply as well. Rules that allow everything need no
// filter.
func Attach(dir *os.File, rules []configs.DeviceRule, fresh bool) error {
	err := attach(int(dir.Fd()), rules, fresh)
	runtime.KeepAlive(dir)
	return err
}

// Probe reports whether this process may load a device filter. It attaches none.
func Probe() error {
	prog, err := load(program(nil, true))
	if err != nil {
		return err
	}
	return unix.Close(prog)
}

func attach(dir int, rules []configs.DeviceRule, fresh bool) error {
	var old attached
	if !fresh {
		var err error
		if old, err = query(dir, 0); err != nil {
			return err
		}
	}
	list, verdict := effective(rules)
	if len(list) == 0 && verdict {
		return detach(dir, old.ids)
	}
	code := program(list, verdict)
	if len(code) > math.MaxInt16 {
		// Jumps could not reach their targets.
		return fmt.Errorf("too many device rules for a filter: %d", len(list))
	}
	prog, err := load(code)
	if err != nil {
		return err
	}
	defer unix.Close(prog)
	return old.replaceBy(dir, prog)
}

// attached is the set of device filters of one cgroup.
type attached struct {
	ids   []uint32
	flags uint32 // how they were attached: BPF_F_ALLOW_MULTI or not
}

// replaceBy replaces the old filters by prog. The cgroup always has a filter in the meantime.
func (a *attached) replaceBy(dir, prog int) error {
	attr := attachAttr{target: uint32(dir), prog: uint32(prog), kind: unix.BPF_CGROUP_DEVICE, flags: unix.BPF_F_ALLOW_MULTI}
	switch {
	case len(a.ids) == 0:
		return attr.call()
	case a.flags&unix.BPF_F_ALLOW_MULTI == 0:
		// Without BPF_F_ALLOW_MULTI there is only one filter, and attaching another without the
		// flag replaces it. The kernel refuses to mix the kinds.
		attr.flags = a.flags
		return attr.call()
	case len(a.ids) == 1:
		old, err := openByID(a.ids[0])
		if err != nil {
			return err
		}
		defer unix.Close(old)
		attr.flags |= unix.BPF_F_REPLACE
		attr.replace = uint32(old)
		return attr.call()
	}
	// If there are several, all of them have to allow an access, so adding first is safe.
	if err := attr.call(); err != nil {
		return err
	}
	return detach(dir, a.ids)
}

// detach removes the filters with the given ids.
func detach(dir int, ids []uint32) error {
	for _, id := range ids {
		fd, err := openByID(id)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		attr := attachAttr{target: uint32(dir), prog: uint32(fd), kind: unix.BPF_CGROUP_DEVICE}
		_, err = bpf(unix.BPF_PROG_DETACH, &attr)
		unix.Close(fd)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("bpf: detach device filter %d: %w", id, err)
		}
	}
	return nil
}

// attachAttr is the part of union bpf_attr for BPF_PROG_ATTACH and _DETACH.
type attachAttr struct {
	target, prog, kind, flags, replace uint32
}

func (a *attachAttr) call() error {
	_, err := bpf(unix.BPF_PROG_ATTACH, a)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("bpf: attach device filter: %w (a cgroup above may have one that does not admit others)", err)
	}
	if err != nil {
		return fmt.Errorf("bpf: attach device filter: %w", err)
	}
	return nil
}

// queryAttr is the part of union bpf_attr for BPF_PROG_QUERY, as of Linux 4.15.
type queryAttr struct {
	target, kind, queryFlags, attachFlags uint32
	ids                                   uint64
	count, _                              uint32
}

// query lists the filters attached to the cgroup itself; with BPF_F_QUERY_EFFECTIVE also those of
// the cgroups above that apply to it.
func query(dir int, flags uint32) (attached, error) {
	// The kernel admits at most 64 programs of a kind (BPF_CGROUP_MAX_PROGS).
	ids := make([]uint32, 64)
	var pin runtime.Pinner // the kernel's view of ids is an integer
	defer pin.Unpin()
	pin.Pin(&ids[0])
	attr := queryAttr{
		target:     uint32(dir),
		kind:       unix.BPF_CGROUP_DEVICE,
		queryFlags: flags,
		ids:        uint64(uintptr(unsafe.Pointer(&ids[0]))),
		count:      uint32(len(ids)),
	}
	_, err := bpf(unix.BPF_PROG_QUERY, &attr)
	if err != nil {
		return attached{}, fmt.Errorf("bpf: query device filters: %w", err)
	}
	return attached{ids: ids[:attr.count], flags: attr.attachFlags}, nil
}

func openByID(id uint32) (int, error) {
	attr := struct{ id, next, flags uint32 }{id: id}
	fd, err := bpf(unix.BPF_PROG_GET_FD_BY_ID, &attr)
	if err != nil {
		return -1, fmt.Errorf("bpf: open device filter %d: %w", id, err)
	}
	return fd, nil
}

// loadAttr is the part of union bpf_attr for BPF_PROG_LOAD.
type loadAttr struct {
	kind, count       uint32
	code, license     uint64
	logLevel, logSize uint32
	log               uint64
	_, _              uint32 // kern_version, prog_flags
	name              [16]byte
}

// load loads the program. It asks for the verifier's log only if the verifier refuses the
// program, because the log takes memory and time.
func load(code []instruction) (int, error) {
	license := []byte("Apache-2.0\x00")
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&code[0])
	pin.Pin(&license[0])
	attr := loadAttr{
		kind:    unix.BPF_PROG_TYPE_CGROUP_DEVICE,
		count:   uint32(len(code)),
		code:    uint64(uintptr(unsafe.Pointer(&code[0]))),
		license: uint64(uintptr(unsafe.Pointer(&license[0]))),
		name:    [16]byte{'b', 'e', 'r', 't', 'h', '_', 'd', 'e', 'v', 'i', 'c', 'e', 's'},
	}
	call := func() (int, error) { return bpf(unix.BPF_PROG_LOAD, &attr) }
	fd, err := call()
	if errors.Is(err, unix.EPERM) {
		fd, err = withMemlock(call)
	}
	if err == nil {
		return fd, nil
	}
	log := make([]byte, 64<<10)
	pin.Pin(&log[0])
	attr.logLevel, attr.logSize, attr.log = 1, uint32(len(log)), uint64(uintptr(unsafe.Pointer(&log[0])))
	if fd, again := call(); again == nil {
		return fd, nil
	}
	err = fmt.Errorf("bpf: load device filter: %w", err)
	if text := strings.Trim(string(log), "\x00\n "); text != "" {
		err = fmt.Errorf("%w: %s", err, strings.ReplaceAll(text, "\n", "; "))
	}
	return -1, err
}

// withMemlock repeats a call with the highest possible RLIMIT_MEMLOCK. Before Linux 5.11,
// programs count against this limit, whose usual 64 KiB are soon used up. The limit is restored
// at once, because children inherit it.
func withMemlock(call func() (int, error)) (int, error) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &old); err != nil {
		return -1, unix.EPERM
	}
	more := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &more) != nil {
		more = unix.Rlimit{Cur: old.Max, Max: old.Max}
		if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &more) != nil {
			return -1, unix.EPERM
		}
	}
	fd, err := call()
	if restore := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &old); err == nil && restore != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("restore RLIMIT_MEMLOCK: %w", restore)
	}
	return fd, err
}
