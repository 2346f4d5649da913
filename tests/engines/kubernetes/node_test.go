// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// A node is a computer with containerd, kubelet and kube-proxy.
type node struct {
	cluster *cluster
	number  int
	// name is that of the node in the API, dir is where it keeps what it writes, and the same path
	// outside and on the node.
	name, dir                  string
	computer                   computer
	containerd, kubelet, proxy *daemon
}

// A computer is what a node consists of: namespaces of this machine, or a virtual machine.
type computer interface {
	// connect gives it a network interface eth0 on the bridge.
	connect() error
	// within returns the arguments of a program here that runs the command there, and is the command
	// for whoever reads its output, waits for it or kills it.
	within(args ...string) []string
	// send copies files there, to the same paths.
	send(paths ...string) error
	// stop ends it, and all its processes.
	stop() error
}

// newNode makes the computer, and connects it with the bridge.
func newNode(c *cluster, number int) (*node, error) {
	n := &node{cluster: c, number: number, name: fmt.Sprintf("n%d", number)}
	n.dir = filepath.Join(suite.work, n.name)
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if suite.machine != "" {
		n.computer, err = newMachine(n)
	} else {
		n.computer, err = newNamespaces(n)
	}
	if err != nil {
		return nil, err
	}
	return n, n.computer.connect()
}

func (n *node) address() string { return fmt.Sprintf("10.77.0.%d", 10+n.number) }
func (n *node) pods() string    { return fmt.Sprintf("10.88.%d.0/24", n.number) }

// command runs a program in the node.
func (n *node) command(name string, args ...string) error {
	_, err := n.output(name, args...)
	return err
}

// output returns what it prints.
func (n *node) output(name string, args ...string) (string, error) {
	line := n.computer.within(append([]string{name}, args...)...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(os.Environ(), "PATH="+suite.programs+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %s %v: %w: %s", n.name, name, args, err, out)
	}
	return string(out), nil
}

// agent runs a command of ./agent in the node.
func (n *node) agent(args ...string) (string, error) {
	return n.output(filepath.Join(suite.staged, "agent"), args...)
}

// importImage gives containerd the archive of an image.
func (n *node) importImage(path string) error {
	if err := n.computer.send(path); err != nil {
		return err
	}
	return n.command("ctr", "--namespace=k8s.io", "images", "import", path)
}

// start starts the daemons, and imports the images before kubelet is there.
func (n *node) start(images []string) error {
	if err := n.cluster.ca.issue(n.name, "system:node:"+n.name, []string{"system:nodes"}, n.address()); err != nil {
		return err
	}
	if err := n.configure(); err != nil {
		return err
	}
	kubelet := []string{
		"kubelet", "--config=" + n.dir + "/kubelet.yaml", "--kubeconfig=" + n.cluster.kubeconfig(n.name),
		"--hostname-override=" + n.name, "--node-ip=" + n.address(),
	}
	if suite.machine == "" {
		kubelet = append([]string{"sh", "-c", kubeletScript, "sh", n.dir}, kubelet...)
	}
	if err := n.computer.send(n.dir, n.cluster.ca.dir); err != nil {
		return err
	}
	n.containerd = n.daemon("containerd", "containerd", "--config", n.dir+"/containerd.toml")
	n.kubelet = n.daemon("kubelet", kubelet...)
	n.proxy = n.daemon("kube-proxy", "kube-proxy", "--config="+n.dir+"/kube-proxy.yaml")
	if err := n.startContainerd(); err != nil {
		return err
	}
	for _, image := range images {
		if err := n.importImage(image); err != nil {
			return err
		}
	}
	if err := n.kubelet.start(); err != nil {
		return err
	}
	return n.proxy.start()
}

// daemon returns one of the node.
func (n *node) daemon(name string, args ...string) *daemon {
	return newDaemon(n.cluster.logs, n.name+"-"+name, n.computer.within(args...)...)
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

// stop ends the node.
func (n *node) stop() error {
	for _, d := range []*daemon{n.kubelet, n.proxy, n.containerd} {
		if d != nil {
			d.end(syscall.SIGKILL)
		}
	}
	return n.computer.stop()
}
