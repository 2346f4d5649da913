// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// dockerNetwork runs containers in networks.
func dockerNetwork(t *testing.T, d *dockerEngine) {
	operation(t, "network none", d.op(func(t *T) {
		t.equal("interfaces", d.run(t, []string{"--network", "none"}, "ls", "/sys/class/net"), "lo")
	}))
	operation(t, "network bridge and published ports", d.op(func(t *T) {
		id := d.detached(t, []string{"--publish", "127.0.0.1:8081:80"}, "sh", "-c", "echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp")
		t.until("the page", func() error { return page("http://127.0.0.1:8081/index.html", "page\n") })
		t.contains("port", d.do(t, "port", id), "80/tcp -> 127.0.0.1:8081")
	}))
	operation(t, "network with names", d.op(func(t *T) {
		d.do(t, "network", "create", "net1")
		t.Cleanup(func() { d.do(t, "network", "rm", "net1") })
		id := d.detached(t, []string{"--network", "net1", "--network-alias", "server"}, "sh", "-c", "echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp")
		t.Cleanup(func() { d.do(t, "rm", "--force", id) })
		address := d.inspect(t, id, ".NetworkSettings.Networks.net1.IPAddress")
		t.contains("answer", d.run(t, []string{"--network", "net1"}, "nslookup", "server", "127.0.0.11"), address)
		d.do(t, "network", "disconnect", "net1", id)
		d.do(t, "network", "connect", "net1", id)
		t.contains("interfaces", d.do(t, "exec", id, "ls", "/sys/class/net"), "eth")
	}))
}

// page asks for a page that has that text.
func page(url, want string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && string(body) != want {
		err = errors.New(fmt.Sprint(resp.Status, " ", string(body)))
	}
	return err
}
