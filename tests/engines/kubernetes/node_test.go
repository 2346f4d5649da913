// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A node is a set of namespaces, made by the script ./node, with containerd, kubelet and
// kube-proxy in them.
type node struct {
	cluster *cluster
	number  int
	// name is that of the node in the API, dir is where it keeps what it writes, cgroup the name
	// of its cgroup in each hierarchy.
	name, dir, cgroup string
	// first is the node's first process, which ends when stdin is closed.
	first                      *exec.Cmd
	stdin                      io.Closer
	containerd, kubelet, proxy *daemon
}

// newNode makes the namespaces, and connects them with the bridge.
func newNode(c *cluster, number int) (*node, error) {
	n := &node{cluster: c, number: number, name: fmt.Sprintf("n%d", number)}
	n.dir = filepath.Join(suite.work, n.name)
	n.cgroup = filepath.Base(suite.work) + "-" + n.name
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return nil, err
	}
	n.first = exec.Command(filepath.Join(suite.staged, "node"), n.name, n.dir, n.cgroup)
	stdin, err := n.first.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := n.first.StdoutPipe()
	if err != nil {
		return nil, err
	}
	n.stdin, n.first.Stderr = stdin, os.Stderr
	if err := n.first.Start(); err != nil {
		return nil, err
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "up\n" {
		return n, fmt.Errorf("node %s does not come up: %q: %w", n.name, line, err)
	}
	return n, n.connect()
}

func (n *node) address() string { return fmt.Sprintf("10.77.0.%d", 10+n.number) }
func (n *node) pods() string    { return fmt.Sprintf("10.88.%d.0/24", n.number) }
func (n *node) pid() string     { return strconv.Itoa(n.first.Process.Pid) }

// path returns the path, outside, of a file in the node.
func (n *node) path(name string) string { return "/proc/" + n.pid() + "/root" + name }

// connect makes the node's network interface.
func (n *node) connect() error {
	port := "port-" + n.name
	if err := command("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", n.pid()); err != nil {
		return err
	}
	if err := command("ip", "link", "set", port, "master", "br0", "up"); err != nil {
		return err
	}
	for _, args := range []string{
		"addr add " + n.address() + "/24 dev eth0",
		"link set eth0 up",
		"route add default via " + controlAddress,
	} {
		if err := n.command("ip", strings.Fields(args)...); err != nil {
			return err
		}
	}
	return nil
}

// within returns the arguments of a shell that runs the command in the node's cgroups and
// namespaces.
func (n *node) within(args ...string) []string {
	const script = `cgroup=$1 pid=$2; shift 2
for hierarchy in /sys/fs/cgroup/*/"$cgroup"; do echo $$ >"$hierarchy/cgroup.procs" || exit; done
exec nsenter --target "$pid" --mount --net --uts --ipc --cgroup --wd=/ -- "$@"`
	return append([]string{"sh", "-c", script, "sh", n.cgroup, n.pid()}, args...)
}

// command runs a program in the node.
func (n *node) command(name string, args ...string) error {
	_, err := n.output(name, args...)
	return err
}

// output returns what it prints.
func (n *node) output(name string, args ...string) (string, error) {
	args = n.within(append([]string{name}, args...)...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "PATH="+suite.programs+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %v: %w: %s", n.name, args[6:], err, out)
	}
	return string(out), nil
}

// start starts the daemons, and imports the images before kubelet is there.
func (n *node) start(images []string) error {
	if err := n.cluster.ca.issue(n.name, "system:node:"+n.name, []string{"system:nodes"}, n.address()); err != nil {
		return err
	}
	if err := n.configure(); err != nil {
		return err
	}
	logs := n.cluster.logs
	n.containerd = newDaemon(logs, n.name+"-containerd", n.within("containerd", "--config", n.dir+"/containerd.toml")...)
	n.kubelet = newDaemon(logs, n.name+"-kubelet", n.within("sh", "-c", kubeletScript, "sh", n.dir,
		"kubelet", "--config="+n.dir+"/kubelet.yaml", "--kubeconfig="+n.cluster.kubeconfig(n.name),
		"--hostname-override="+n.name, "--node-ip="+n.address())...)
	n.proxy = newDaemon(logs, n.name+"-kube-proxy", n.within("kube-proxy", "--config="+n.dir+"/kube-proxy.yaml")...)
	if err := n.startContainerd(); err != nil {
		return err
	}
	for _, image := range images {
		if err := n.command("ctr", "--namespace=k8s.io", "images", "import", image); err != nil {
			return err
		}
	}
	if err := n.kubelet.start(); err != nil {
		return err
	}
	return n.proxy.start()
}

func (n *node) startContainerd() error {
	if err := n.containerd.start(); err != nil {
		return err
	}
	return until(suite.limit, n.name+"'s containerd", func() error {
		return n.command("ctr", "version")
	})
}

// kubeletScript runs kubelet with files over the sysctls of the whole machine that it would
// otherwise write. Only kubelet has these mounts: no new proc can be mounted in a user namespace
// while another one is covered, so the node's own has none.
const kubeletScript = `dir=$1; shift
exec unshare --mount --propagation unchanged sh -ec 'dir=$1; shift
mount --make-private /proc
while read -r name value; do
	echo "$value" >"$dir/sysctl-${name##*/}"
	mount --bind "$dir/sysctl-${name##*/}" "/proc/sys/$name"
done <<END
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
END
exec "$@"' sh "$dir" "$@"`

// stop ends all processes of the node, and removes its cgroups.
func (n *node) stop() error {
	for _, d := range []*daemon{n.kubelet, n.proxy, n.containerd} {
		if d != nil {
			d.end(syscall.SIGKILL)
		}
	}
	var all []error
	n.stdin.Close()
	hierarchies, err := filepath.Glob("/sys/fs/cgroup/*/" + n.cgroup)
	all = append(all, err)
	for _, dir := range hierarchies {
		all = append(all, killAll(dir))
	}
	_ = n.first.Wait() // It was killed.
	for _, dir := range hierarchies {
		all = append(all, removeCgroup(dir))
	}
	return errors.Join(all...)
}

// processes returns those in a cgroup and below.
func processes(dir string) ([]int, error) {
	var pids []int
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // Removed meanwhile.
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil {
			return nil //nolint:nilerr // Removed meanwhile, or a threaded cgroup.
		}
		for line := range strings.FieldsSeq(string(data)) {
			pid, err := strconv.Atoi(line)
			if err != nil {
				return err
			}
			pids = append(pids, pid)
		}
		return nil
	})
	return pids, err
}

// removeCgroup removes a cgroup and those below.
func removeCgroup(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil //nolint:nilerr // What is gone needs no removal.
	})
	if err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		err := until(10*time.Second, "remove "+dirs[i], func() error {
			if err := syscall.Rmdir(dirs[i]); err != nil && !errors.Is(err, syscall.ENOENT) {
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
