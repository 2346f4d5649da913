// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestNetworkHooks: createRuntime hooks find the complete network and its status. If one of them
// fails, the network is removed, including the bridge.
func TestNetworkHooks(t *testing.T) {
	c := newContainer(t)
	ownHost(t)
	c.network(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24"], "gateways": ["10.88.0.1"]}]`)
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{
		"sh", "-c", `cat >` + c.path("state.json") + `; busybox ping -c 1 -W 5 10.88.0.2 >` + c.path("ping") + `; exit 1`,
	}, Env: []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin"}}}}
	c.createFails("hooks.createRuntime[0]")
	awaitInterfaces(t, "")
	said, err := os.ReadFile(c.path("ping"))
	if err != nil || !strings.Contains(string(said), "bytes from 10.88.0.2") {
		t.Errorf("ping: %q, %v", said, err)
	}
	state, err := os.ReadFile(c.path("state.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s specs.State
	if err := json.Unmarshal(state, &s); err != nil {
		t.Fatal(err)
	}
	checkNetworkStatus(t, s.Annotations)
}

func checkNetworkStatus(t *testing.T, annotations map[string]string) {
	t.Helper()
	var status struct {
		Version    int
		Interfaces []struct {
			Name, MAC, Bridge, HostName string
			Addresses                   []string
		}
	}
	text := annotations["run.berth.network.status"]
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	if len(status.Interfaces) != 1 || status.Version != 1 {
		t.Fatalf("status %s", text)
	}
	i := status.Interfaces[0]
	if i.Name != "eth0" || i.Bridge != "br0" || len(i.MAC) != 17 || !strings.HasPrefix(i.HostName, "bt") || strings.Join(i.Addresses, " ") != "10.88.0.2/24" {
		t.Errorf("status %s", text)
	}
}

// TestNetworkStatus: state and list have the addresses, and events has the traffic as the
// container counts it.
func TestNetworkStatus(t *testing.T) {
	c := newContainer(t)
	ownHost(t)
	c.network(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24"], "gateways": ["10.88.0.1"]}]`).create()
	checkNetworkStatus(t, c.stateJSON().Annotations)
	var list []specs.State
	if err := json.Unmarshal([]byte(c.command("list", "--format", "json").must().out), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v, %+v", err, list)
	}
	checkNetworkStatus(t, list[0].Annotations)
	const size = 10000
	// These are fragments in both directions, and the requests for addresses before them.
	ping(t, 0, "-s", fmt.Sprint(size), "10.88.0.2")
	ip(t, c.pid, "link set eth0 down") // no more traffic
	var e struct {
		Data struct {
			Interfaces []map[string]any `json:"network_interfaces"`
		}
	}
	out := c.command("events", "--stats", c.id).must().out
	if err := json.Unmarshal([]byte(out), &e); err != nil || len(e.Data.Interfaces) != 1 {
		t.Fatalf("%v in %s", err, out)
	}
	inside := func(file string) string {
		data, err := exec.Command("nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", c.pid), "cat", "/proc/net/dev").Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if name, rest, _ := strings.Cut(strings.TrimSpace(line), ":"); name == "eth0" {
				return strings.Fields(rest)[map[string]int{"rx": 0, "tx": 8}[file]]
			}
		}
		return ""
	}
	n := e.Data.Interfaces[0]
	if name, _ := n["Name"].(string); !strings.HasPrefix(name, "bt") {
		t.Errorf("name %v", n["Name"])
	}
	for key, direction := range map[string]string{"RxBytes": "rx", "TxBytes": "tx"} {
		bytes, _ := n[key].(float64)
		if bytes < size {
			t.Errorf("%s is %v, less than was sent", key, n[key])
		}
		want(t, key, fmt.Sprint(int64(bytes)), inside(direction))
	}
	for _, key := range []string{"RxPackets", "RxErrors", "RxDropped", "TxPackets", "TxErrors", "TxDropped"} {
		if _, ok := n[key].(float64); !ok {
			t.Errorf("no %s in %v", key, n)
		}
	}
}
