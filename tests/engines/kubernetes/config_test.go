// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// containerdConfig is what containerd needs here besides the runtimes.
const containerdConfig = `version = 3

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "test.local/pause:1"

[plugins."io.containerd.cri.v1.runtime"]
  # A sandbox's oom_score_adj of -998 needs CAP_SYS_RESOURCE, which root may not have in a
  # container or a virtual machine.
  restrict_oom_score_adj = $RESTRICT

  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["$PROGRAMS/cni"]
`

// snippet returns the block of that language and number of docs/kubernetes.md.
func snippet(language string, number int) (string, error) {
	document, err := os.ReadFile("../../../docs/kubernetes.md")
	if err != nil {
		return "", err
	}
	blocks := strings.Split(string(document), "\n```"+language+"\n")
	if len(blocks) <= number {
		return "", fmt.Errorf("docs/kubernetes.md has no block %d of %s", number, language)
	}
	block, _, _ := strings.Cut(blocks[number], "```\n")
	return block, nil
}

// networkConfig connects each pod with the node by a veth pair: what goes from one pod to another
// is routed, and so passes the rules of services.
const networkConfig = `{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "ranges": [[{ "subnet": "$PODS" }]],
        "routes": [{ "dst": "0.0.0.0/0" }]
      }
    },
    { "type": "portmap", "capabilities": { "portMappings": true }, "backend": "nftables" }
  ]
}
`

// kubeletConfig is the one of a node on cgroup v1, in namespaces of a machine that is not the
// node's alone, and of one on cgroup v2 with systemd, in a machine of its own.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $ADDRESS
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: false}
  x509: {clientCAFile: $PKI/ca.crt}
authorization: {mode: AlwaysAllow}
tlsCertFile: $PKI/$NAME.crt
tlsPrivateKeyFile: $PKI/$NAME.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
volumePluginDir: /var/lib/kubelet/volume-plugins
cgroupDriver: $DRIVER
cgroupRoot: /
failCgroupV1: false
failSwapOn: false
memorySwap: {swapBehavior: $SWAP}
oomScoreAdj: 0
makeIPTablesUtilChains: false
resolvConf: ""
clusterDomain: cluster.test
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
maxPods: 200
nodeStatusUpdateFrequency: 3s
allowedUnsafeSysctls: ["net.core.somaxconn"]
featureGates: {$GATES}
`

const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: $NAME
clientConnection: {kubeconfig: $PKI/admin.kubeconfig}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
clusterCIDR: 10.88.0.0/16
`

// configure writes the configurations of the node's daemons.
func (n *node) configure() error {
	containerd := containerdConfig
	if name := os.Getenv("DEFAULT"); name != "" {
		config, err := snippet("toml", 2)
		if err != nil {
			return err
		}
		containerd += "\n" + strings.ReplaceAll(config, `"berth"`, fmt.Sprintf("%q", name))
	}
	config, err := snippet("toml", 1)
	if err != nil {
		return err
	}
	for _, r := range suite.runtimes {
		containerd += "\n" + strings.NewReplacer("/usr/local/bin/berth", r.path, "runtimes.berth", "runtimes."+r.name).Replace(config)
	}
	driver, swap := "cgroupfs", "NoSwap"
	if suite.machine != "" {
		driver, swap = "systemd", "LimitedSwap"
		// kubelet asks containerd for the driver, and the answer is that of the default runtime.
		if !slices.ContainsFunc(suite.runtimes, func(r runtime) bool { return r.name == "runc" }) {
			containerd += "\n" + strings.ReplaceAll(config, "berth", "runc")
		}
		containerd = strings.ReplaceAll(containerd, "SystemdCgroup = false", "SystemdCgroup = true")
	}
	restrict := n.command("sh", "-c", "echo -998 >/proc/self/oom_score_adj") != nil
	replace := strings.NewReplacer("$RESTRICT", fmt.Sprint(restrict), "$DRIVER", driver, "$SWAP", swap, "$PROGRAMS", suite.programs, "$PODS", n.pods(), "$ADDRESS", n.address(),
		"$PKI", n.cluster.ca.dir, "$NAME", n.name, "$GATES", strings.ReplaceAll(gates, "=", ": "))
	for path, text := range map[string]string{
		"containerd.toml": containerd, "kubelet.yaml": kubeletConfig, "kube-proxy.yaml": proxyConfig,
		"etc/cni/net.d/10-pods.conflist": networkConfig,
	} {
		path = filepath.Join(n.dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(replace.Replace(text)), 0o600); err != nil {
			return fmt.Errorf("node %s: %w", n.name, err)
		}
	}
	return nil
}
