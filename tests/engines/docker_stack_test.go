// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// dockerStack runs the three tiers of tests/e2e with docker compose.
func dockerStack(t *testing.T, d *dockerEngine) {
	operation(t, "compose", d.op(func(t *T) {
		controllers(t)
		compose := d.composition(t)
		t.Cleanup(func() { compose("down", "--volumes", "--timeout", "20").run(t) })
		if r := compose("up", "--detach", "--scale", "app=2").try(t); r.code != 0 {
			t.Fatalf("up: %s%s%s", r.out, r.err, compose("logs").try(t).out)
		}
		t.until("the stack", stackAnswers)
		kept := orders(t, 0, 2)
		// One application more joins.
		compose("up", "--detach", "--no-recreate", "--scale", "app=3").run(t)
		d.healthy(t, "app", 3)
		reload := []string{"exec", "-T", "web", "/usr/sbin/nginx", "-c", "/etc/nginx/stack/nginx.conf", "-s", "reload"}
		compose(reload...).run(t)
		kept = orders(t, kept, 3)
		// One of them is killed. The others go on.
		victim := strings.Fields(d.do(t, "ps", "--quiet", "--filter", "label=com.docker.compose.service=app"))[0]
		d.do(t, "kill", victim)
		kept = orders(t, kept, 2)
		rows := compose("exec", "-T", "db", "psql", "--host", "/run", "--dbname", "orders", "--tuples-only", "--no-align", "--command", "SELECT count(*) FROM orders").run(t)
		t.equal("rows", rows, fmt.Sprint(kept))
		// What the volume has outlives its containers.
		compose("down", "--timeout", "20").run(t)
		compose("up", "--detach", "--scale", "app=1").run(t)
		t.until("the stack", stackAnswers)
		t.equal("orders", fmt.Sprint(orders(t, kept, 1)), fmt.Sprint(kept+20))
		t.contains("logs", compose("logs", "db").run(t), "database system is ready to accept connections")
	}))
}

// stackAnswers asks the application behind the web tier for its health.
func stackAnswers() error {
	resp, err := http.Get("http://127.0.0.1:8088/health")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// composition imports the images and returns the command line of compose.
func (d *dockerEngine) composition(t *T) func(args ...string) command {
	t.Helper()
	if !exists("/opt/stack/web") {
		t.Skipf("no root file systems of tests/e2e")
	}
	for _, tier := range []string{"web", "app", "db"} {
		env := d.command().env[0]
		path := "ENV PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin"
		command{args: []string{"sh", "-c", `tar -C "$0" -c . | docker import --change "$2" - "$1"`, "/opt/stack/" + tier, "stack-" + tier, path}, env: []string{env}}.run(t)
		t.Cleanup(func() { d.do(t, "rmi", "stack-"+tier) })
	}
	const dir = "/tmp/stack"
	command{args: []string{"sh", "-ec", `cp -r testdata/stack "$0"; mkdir "$0/app"; cp ../e2e/testdata/app.py "$0/app/"; cp ../e2e/testdata/nginx.conf "$0/web/"; chmod -R a+rX "$0"`, dir}}.run(t)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return func(args ...string) command {
		c := d.command("compose")
		// Before it was a plugin.
		if d.major < 23 {
			c.args = []string{"docker-compose"}
		}
		c.args = append(append(c.args, "--file", dir+"/compose.yaml", "--project-name", "stack"), args...)
		c.env = append(c.env, "STACK="+dir, "BERTH_RUNTIME="+d.runtime)
		return c
	}
}

// healthy waits until n containers of a service are healthy.
func (d *dockerEngine) healthy(t *T, service string, n int) {
	t.Helper()
	t.until("healthy copies of "+service, func() error {
		ids := strings.Fields(d.do(t, "ps", "--quiet", "--filter", "label=com.docker.compose.service="+service, "--filter", "health=healthy"))
		if len(ids) != n {
			return fmt.Errorf("there are %d, not %d", len(ids), n)
		}
		return nil
	})
}

// orders places orders until n applications have answered, and 20 at least, and returns how many
// there are.
func orders(t *T, kept, n int) int {
	t.Helper()
	seen := map[string]bool{}
	first := kept
	t.until("answers of the applications", func() error {
		resp, err := http.Post("http://127.0.0.1:8088/orders", "application/json", strings.NewReader(fmt.Sprintf(`{"id": "order%d"}`, kept)))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			return errors.Join(err, errors.New(resp.Status))
		}
		seen[string(body)] = true
		kept++
		if kept < first+20 || len(seen) < n {
			return fmt.Errorf("%d orders, answered by %d applications", kept-first, len(seen))
		}
		return nil
	})
	if len(seen) != n {
		t.Errorf("%d applications have answered, not %d", len(seen), n)
	}
	return kept
}
