// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// The control plane is in the network namespace of the tests, and has a bridge to the nodes.
const (
	controlAddress = "10.77.0.1"
	apiAddress     = controlAddress + ":6443"
	serviceRange   = "10.96.0.0/16"
)

// gates are the feature gates that are off by default and tried here.
const gates = "ContainerStopSignals=true"

// A cluster is the control plane and its nodes.
type cluster struct {
	logs    string
	ca      *authority
	daemons []*daemon
	nodes   []*node
	// admin is the kubeconfig of its administrator.
	admin string
}

// startCluster starts all of it, and waits until the nodes are ready.
func startCluster(logs string) (c *cluster, err error) {
	c = &cluster{logs: logs}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, c.lastWords())
			c.stop()
		}
	}()
	if c.ca, err = newAuthority(filepath.Join(suite.work, "pki")); err != nil {
		return c, err
	}
	if err := c.bridge(); err != nil {
		return c, err
	}
	if err := c.startControl(); err != nil {
		return c, err
	}
	images, err := makeImages(filepath.Join(suite.work, "images"))
	if err != nil {
		return c, err
	}
	for number := 1; number <= suite.nodes; number++ {
		n, err := newNode(c, number)
		if n != nil {
			c.nodes = append(c.nodes, n)
		}
		if err != nil {
			return c, err
		}
		if err := n.start(images); err != nil {
			return c, err
		}
	}
	if err := c.route(); err != nil {
		return c, err
	}
	return c, c.configure()
}

// bridge makes the network between the nodes.
func (c *cluster) bridge() error {
	for _, args := range []string{
		"link add br0 type bridge",
		"addr add " + controlAddress + "/24 dev br0",
		"link set br0 up",
	} {
		if err := command("ip", strings.Fields(args)...); err != nil {
			return err
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}

// startControl starts etcd, the API server, the scheduler and the controllers.
func (c *cluster) startControl() error {
	if err := c.ca.issue("apiserver", "kube-apiserver", nil, controlAddress, "10.96.0.1", "127.0.0.1"); err != nil {
		return err
	}
	if err := c.ca.issue("kubelet-client", "kube-apiserver", []string{"system:masters"}); err != nil {
		return err
	}
	if err := c.ca.issue("sa", "service-accounts", nil); err != nil {
		return err
	}
	if err := os.WriteFile(c.ca.file("tokens"), []byte(tokens()), 0o600); err != nil {
		return err
	}
	c.admin = c.kubeconfig("admin")
	c.run("etcd", "--data-dir="+filepath.Join(suite.work, "etcd"), "--unsafe-no-fsync", "--log-level=warn")
	c.run("kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", "--advertise-address="+controlAddress,
		"--bind-address="+controlAddress, "--token-auth-file="+c.ca.file("tokens"), "--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://cluster.test", "--service-account-key-file="+c.ca.file("sa.crt"),
		"--service-account-signing-key-file="+c.ca.file("sa.key"), "--service-cluster-ip-range="+serviceRange,
		"--allow-privileged=true", "--client-ca-file="+c.ca.file("ca.crt"),
		"--tls-cert-file="+c.ca.file("apiserver.crt"), "--tls-private-key-file="+c.ca.file("apiserver.key"),
		"--kubelet-client-certificate="+c.ca.file("kubelet-client.crt"), "--kubelet-client-key="+c.ca.file("kubelet-client.key"),
		"--kubelet-certificate-authority="+c.ca.file("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--feature-gates="+gates)
	c.run("kube-controller-manager", "--kubeconfig="+c.admin, "--leader-elect=false", "--allocate-node-cidrs=false",
		"--service-account-private-key-file="+c.ca.file("sa.key"), "--root-ca-file="+c.ca.file("ca.crt"),
		"--use-service-account-credentials=false", "--node-monitor-grace-period="+suite.grace, "--bind-address=127.0.0.1",
		"--feature-gates="+gates)
	c.run("kube-scheduler", "--kubeconfig="+c.admin, "--leader-elect=false", "--bind-address=127.0.0.1",
		"--feature-gates="+gates)
	for _, d := range c.daemons {
		if err := d.start(); err != nil {
			return err
		}
	}
	return until(suite.limit, "the API server", func() error {
		_, err := c.kubectl("", "get", "--raw=/readyz")
		return err
	})
}

// run adds a daemon of the control plane.
func (c *cluster) run(program string, args ...string) {
	args = append([]string{filepath.Join(suite.programs, program)}, args...)
	c.daemons = append(c.daemons, newDaemon(c.logs, program, args...))
}

// tokens returns who may ask the API server: a token, a user, its id, and its groups.
func tokens() string {
	lines := []string{`admin,admin,admin,"system:masters"`}
	for _, node := range []string{"n1", "n2"} {
		lines = append(lines, fmt.Sprintf(`%[1]s,system:node:%[1]s,%[1]s,"system:nodes"`, node))
	}
	return strings.Join(lines, "\n") + "\n"
}

// kubeconfig writes one for that token, and returns its path.
func (c *cluster) kubeconfig(token string) string {
	path := c.ca.file(token + ".kubeconfig")
	config := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://%s", certificate-authority: %s}}]
users: [{name: u, user: {token: %s}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, apiAddress, c.ca.file("ca.crt"), token)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		panic(err) // The directory has just been made.
	}
	return path
}

// route tells each node the way to the pods of the other.
func (c *cluster) route() error {
	for _, from := range c.nodes {
		for _, to := range c.nodes {
			if from != to {
				if err := from.command("ip", "route", "replace", to.pods(), "via", to.address()); err != nil {
					return err
				}
			}
		}
		// The API server reaches pods for nothing but the proxies of services.
		if err := command("ip", "route", "replace", from.pods(), "via", from.address()); err != nil {
			return err
		}
	}
	return nil
}

// configure waits for the nodes, and makes the classes of the runtimes.
func (c *cluster) configure() error {
	if err := until(suite.limit, "the nodes", func() error {
		for _, n := range c.nodes {
			if _, err := c.kubectl("", "wait", "--for=condition=Ready", "node/"+n.name, patience()); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	class, err := snippet("yaml", 1)
	if err != nil {
		return err
	}
	for _, runtime := range suite.runtimes {
		if _, err := c.kubectl(strings.ReplaceAll(class, "berth", runtime.name), "apply", "-f", "-"); err != nil {
			return err
		}
	}
	return nil
}

// kubectl returns what it prints, with a manifest as its input.
func (c *cluster) kubectl(input string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(suite.programs, "kubectl"), append([]string{"--kubeconfig", c.admin}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// Its cache of the API's resources must not be what another cluster had.
	cmd.Env = append(os.Environ(), "HOME="+suite.work)
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// lastWords returns the ends of the logs of daemons that have ended, and of the nodes'.
func (c *cluster) lastWords() string {
	var words strings.Builder
	daemons := c.daemons
	for _, n := range c.nodes {
		daemons = append(daemons, n.containerd, n.kubelet, n.proxy)
	}
	for _, d := range daemons {
		if d != nil && !d.running() {
			fmt.Fprintf(&words, "== %s has ended:\n%s\n", d.name, tail(d.log, 1500))
		}
	}
	return words.String()
}

// stop ends all of it.
func (c *cluster) stop() {
	for _, n := range c.nodes {
		if err := n.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "kubernetes:", err)
		}
	}
	for i := len(c.daemons) - 1; i >= 0; i-- {
		c.daemons[i].end(syscall.SIGKILL)
	}
}
