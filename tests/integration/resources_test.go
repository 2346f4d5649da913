// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// needController skips a test if the kernel does not have a controller, on v1 as a hierarchy.
// Kernels differ, so this is not an error under CI.
func needController(t *testing.T, name string) {
	t.Helper()
	if !suite.unified {
		if _, err := os.Stat(filepath.Join("/sys/fs/cgroup", name, "cgroup.procs")); err != nil {
			t.Skipf("requires the %s controller on cgroup v1", name)
		}
		return
	}
	if !listsController(t, "/sys/fs/cgroup/cgroup.controllers", name) {
		t.Skipf("requires the %s controller on cgroup v2", name)
	}
}

// keptOnV2 tells whether a hybrid machine uses a controller on cgroup v2, so that it cannot have a
// hierarchy of v1.
func keptOnV2(t *testing.T, name string) bool {
	t.Helper()
	return !suite.unified && listsController(t, "/sys/fs/cgroup/unified/cgroup.subtree_control", name)
}

// listsController looks for a controller in a file of cgroup v2, which may be absent.
func listsController(t *testing.T, file, name string) bool {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return slices.Contains(strings.Fields(string(data)), name)
}

// createLimited creates the container with limits.
func (c *container) createLimited(r *specs.LinuxResources) *container {
	c.t.Helper()
	c.spec.Linux.Resources = r
	return c.create()
}

// createFails checks that create fails. The error of berth contains a text that names the field.
func (c *container) createFails(text string) {
	c.t.Helper()
	r := c.tryCreate().fails("", "")
	if suite.name == "berth" {
		r.fails(text, "")
	}
}

// TestLimitsOfNone: where cgroup v2 has no controllers, there is nothing to write.
func TestLimitsOfNone(t *testing.T) {
	c := newContainer(t)
	none := int64(-1)
	c.createLimited(&specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: &none, Swap: &none}, CPU: &specs.LinuxCPU{Quota: &none}, Pids: &specs.LinuxPids{Limit: &none},
	})
	c.start().wait()
}

// TestHugepageReservation: reservations have the same limit as usage.
func TestHugepageReservation(t *testing.T) {
	c := newContainer(t)
	needController(t, "hugetlb")
	suffix := "limit_in_bytes"
	if suite.unified {
		suffix = "max"
	}
	c.createLimited(&specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}}})
	want(t, "limit", c.cgroupFile("hugetlb", "hugetlb.2MB."+suffix), "4194304")
	want(t, "limit of reservations", c.cgroupFile("hugetlb", "hugetlb.2MB.rsvd."+suffix), "4194304")
	c.start().wait()
}

func TestNetworkClass(t *testing.T) {
	c := newContainer(t)
	only(t, !suite.unified, "cgroup v1")
	needController(t, "net_cls")
	id := uint32(0x100001)
	c.createLimited(&specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: &id}})
	want(t, "net_cls.classid", c.cgroupFile("net_cls", "net_cls.classid"), "1048577")
	c.start().wait()
}

func TestNetworkPriorities(t *testing.T) {
	c := newContainer(t)
	only(t, !suite.unified, "cgroup v1")
	needController(t, "net_prio")
	c.createLimited(&specs.LinuxResources{Network: &specs.LinuxNetwork{Priorities: []specs.LinuxInterfacePriority{{Name: "lo", Priority: 7}}}})
	if got := c.cgroupFile("net_prio", "net_prio.ifpriomap"); !slices.Contains(strings.Split(got, "\n"), "lo 7") {
		t.Errorf("net_prio.ifpriomap: %q", got)
	}
	c.start().wait()
}

// TestNetworkPriorityOfNothing: for a missing interface, the error names the field.
func TestNetworkPriorityOfNothing(t *testing.T) {
	c := newContainer(t)
	only(t, !suite.unified, "cgroup v1")
	needController(t, "net_prio")
	c.spec.Linux.Resources = &specs.LinuxResources{Network: &specs.LinuxNetwork{Priorities: []specs.LinuxInterfacePriority{{Name: "none0", Priority: 7}}}}
	c.createFails("linux.resources.network.priorities[0]")
}

// TestIgnoredNetworkClass: engines set it on every host, so it is ignored where there is no such
// controller.
func TestIgnoredNetworkClass(t *testing.T) {
	c := newContainer(t).args("echo", "fine")
	only(t, suite.unified, "cgroup v2")
	id := uint32(0x100001)
	c.spec.Linux.Resources = &specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: &id}}
	want(t, "output", c.output(), "fine")
}

func TestRdma(t *testing.T) {
	c := newContainer(t)
	needController(t, "rdma")
	devices, _ := os.ReadDir("/sys/class/infiniband")
	if len(devices) == 0 {
		t.Skip("requires an RDMA device")
	}
	name := devices[0].Name()
	handles, objects := uint32(3), uint32(10000)
	c.createLimited(&specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{name: {HcaHandles: &handles, HcaObjects: &objects}}})
	if got := c.cgroupFile("rdma", "rdma.max"); !strings.Contains(got, name+" hca_handle=3 hca_object=10000") {
		t.Errorf("rdma.max: %q", got)
	}
	c.start().wait()
}

// TestRdmaOfNothing: it is an error if a limit cannot be set because the controller or the device
// is missing.
func TestRdmaOfNothing(t *testing.T) {
	c := newContainer(t)
	handles := uint32(3)
	c.spec.Linux.Resources = &specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"none0": {HcaHandles: &handles}}}
	c.createFails(`linux.resources.rdma`)
}

// TestBlockWeight needs the BFQ scheduler in the kernel, or iocost on v2.
func TestBlockWeight(t *testing.T) {
	c := newContainer(t)
	controller := "blkio"
	if suite.unified {
		controller = "io"
	}
	needController(t, controller)
	weight := uint16(321)
	c.spec.Linux.Resources = &specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: &weight}}
	c.create()
	for file, w := range map[string]string{
		"blkio.weight": "321", "blkio.bfq.weight": "321", "io.bfq.weight": "default 321", "io.weight": "default 3142",
	} {
		if _, err := os.Stat(filepath.Join(c.cgroupDir(controller), file)); err == nil {
			want(t, file, c.cgroupFile(controller, file), w)
			c.start().wait()
			return
		}
	}
	t.Error("no file with a weight, and no error")
}

// TestIOMax needs a block device.
func TestIOMax(t *testing.T) {
	c := newContainer(t)
	only(t, suite.unified, "cgroup v2")
	needController(t, "io")
	var st unix.Stat_t
	require(t, unix.Stat("/dev/loop0", &st) == nil, "/dev/loop0")
	dev := func(rate uint64) []specs.LinuxThrottleDevice {
		d := specs.LinuxThrottleDevice{Rate: rate}
		d.Major, d.Minor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
		return []specs.LinuxThrottleDevice{d}
	}
	c.createLimited(&specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{
		ThrottleReadBpsDevice: dev(1 << 20), ThrottleWriteBpsDevice: dev(2 << 20), ThrottleReadIOPSDevice: dev(300), ThrottleWriteIOPSDevice: dev(400),
	}})
	want(t, "io.max", c.cgroupFile("", "io.max"),
		fmt.Sprintf("%d:%d rbps=1048576 wbps=2097152 riops=300 wiops=400", unix.Major(st.Rdev), unix.Minor(st.Rdev)))
	c.start().wait()
}

func TestUnified(t *testing.T) {
	c := newContainer(t)
	only(t, suite.unified, "cgroup v2")
	c.createLimited(&specs.LinuxResources{Unified: map[string]string{"cgroup.max.depth": "3", "cgroup.max.descendants": "7\n"}})
	want(t, "cgroup.max.depth", c.cgroupFile("", "cgroup.max.depth"), "3")
	want(t, "cgroup.max.descendants", c.cgroupFile("", "cgroup.max.descendants"), "7")
	c.start().wait()
}

// TestUnifiedController: a limit of a controller for which the spec has no field.
func TestUnifiedController(t *testing.T) {
	for file, w := range map[string]string{"memory.high": "16777216", "hugetlb.2MB.max": "4194304", "pids.max": "11"} {
		t.Run(file, func(t *testing.T) {
			c := newContainer(t)
			only(t, suite.unified, "cgroup v2")
			controller, _, _ := strings.Cut(file, ".")
			needController(t, controller)
			c.createLimited(&specs.LinuxResources{Unified: map[string]string{file: w}})
			want(t, file, c.cgroupFile("", file), w)
			c.start().wait()
		})
	}
}

// TestMissingLimit: engines would take "no such file or directory" for a program that does not
// exist, and return 127.
func TestMissingLimit(t *testing.T) {
	c := newContainer(t)
	only(t, suite.unified, "cgroup v2")
	c.spec.Linux.Resources = &specs.LinuxResources{Unified: map[string]string{"nothing.max": "1"}}
	r := c.run().fails("linux.resources.unified[\"nothing.max\"]: open nothing.max: the host has no nothing controller", "")
	if strings.Contains(r.stderr, "no such file or directory") {
		t.Errorf("message: %s", r.stderr)
	}
}

func TestBadUnified(t *testing.T) {
	for _, file := range []string{"cgroup.no.such", "nothing.max", "../cgroup.max.depth", "cgroup", "a/b.c"} {
		t.Run(strings.ReplaceAll(file, "/", "_"), func(t *testing.T) {
			c := newContainer(t)
			only(t, suite.unified, "cgroup v2")
			c.spec.Linux.Resources = &specs.LinuxResources{Unified: map[string]string{file: "1"}}
			c.createFails("linux.resources.unified")
		})
	}
}

// TestIntelRdtWithoutKernel: it is an error if the kernel does not support resctrl.
func TestIntelRdtWithoutKernel(t *testing.T) {
	var st unix.Statfs_t
	mounted := unix.Statfs("/sys/fs/resctrl", &st) == nil && st.Type == unix.RDTGROUP_SUPER_MAGIC
	for name, rdt := range map[string]specs.LinuxIntelRdt{
		"empty":      {},
		"closID":     {ClosID: "/"},
		"schemata":   {Schemata: []string{"L3:0=f"}},
		"monitoring": {EnableMonitoring: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			only(t, !mounted, "a host without resctrl")
			c.spec.Linux.IntelRdt = &rdt
			c.createFails("linux.intelRdt: the resctrl file system is not mounted at /sys/fs/resctrl")
		})
	}
}

// TestMaskedDirectoriesShareOne: one empty, read-only file system masks all directories, and none
// of them can be written.
func TestMaskedDirectoriesShareOne(t *testing.T) {
	c := newContainer(t).sh("touch /mask-a/x 2>/dev/null || echo refused; cat /proc/self/mountinfo")
	for _, dir := range []string{"mask-a", "mask-b", "mask-c"} {
		if err := os.Mkdir(c.rootfs(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		c.spec.Linux.MaskedPaths = append(c.spec.Linux.MaskedPaths, "/"+dir)
	}
	out := c.output()
	if !strings.HasPrefix(out, "refused\n") {
		t.Error("a file was made")
	}
	found := map[string]string{}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 6 || !strings.HasPrefix(f[4], "/mask-") {
			continue
		}
		found[f[4]] = f[2] // the device number
		if !strings.Contains(line, " - tmpfs ") || !slices.Contains(strings.Split(f[5], ","), "ro") {
			t.Errorf("not a read-only tmpfs: %s", line)
		}
	}
	if len(found) != 3 || found["/mask-a"] != found["/mask-b"] || found["/mask-a"] != found["/mask-c"] {
		t.Errorf("device numbers %v, want one for all three", found)
	}
}
