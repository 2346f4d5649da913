// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/berth-run/berth/tests/engines/image"
)

// The three tiers of docs/stack.md: their root file systems, program and configuration are those of
// tests/e2e. In place of its own balancing, Kubernetes has services.

// stackImages imports the images of the tiers into both nodes, once.
var stackImages = sync.OnceValue(func() error {
	for _, tier := range []string{"web", "app", "db"} {
		root := os.Getenv("STACK_" + tier)
		layer, err := exec.Command("tar", "--create", "--numeric-owner", "--directory", root, "--exclude=./dev/*", ".").Output()
		if err != nil {
			return fmt.Errorf("the root of %s in %q: %w", tier, root, err)
		}
		archive, err := image.Archive("test.local/"+tier+":1", image.LayerOf(layer),
			image.Config{Env: []string{"PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}})
		if err != nil {
			return err
		}
		path := filepath.Join(suite.work, "images", tier+".tar")
		if err := os.WriteFile(path, archive, 0o644); err != nil {
			return err
		}
		for _, n := range suite.cluster.nodes {
			if err := n.importImage(path); err != nil {
				return err
			}
			if err := n.command("ctr", "--namespace=k8s.io", "images", "tag", "test.local/"+tier+":1", "test.local/"+tier+":2"); err != nil {
				return err
			}
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
})

// restricted is what all tiers' containers are.
const restricted = `        securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}
`

const database = `apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      runtimeClassName: $RUNTIME
      securityContext: {runAsUser: 100, runAsGroup: 102, fsGroup: 102}
      volumes: [{name: data, emptyDir: {}}, {name: run, emptyDir: {medium: Memory}}, {name: tmp, emptyDir: {medium: Memory}}]
      initContainers:
      - name: init
        image: test.local/db:1
        command: [sh, -c, "initdb --auth-local=peer --auth-host=scram-sha-256 --encoding=UTF8 -D /data/db && echo host all all all scram-sha-256 >>/data/db/pg_hba.conf"]
        volumeMounts: [{name: data, mountPath: /data}, {name: tmp, mountPath: /tmp}]
` + restricted + `      containers:
      - name: db
        image: test.local/db:1
        command: [postgres, -D, /data/db, -c, "listen_addresses=*", -c, unix_socket_directories=/run]
        volumeMounts: [{name: data, mountPath: /data}, {name: run, mountPath: /run}, {name: tmp, mountPath: /tmp}]
        readinessProbe: {exec: {command: [pg_isready, --host, /run, --quiet]}, $PERIOD}
        resources: {limits: {memory: 256Mi, cpu: 1500m}, requests: {memory: 64Mi, cpu: 10m}}
` + restricted

const application = `apiVersion: v1
kind: Service
metadata: {name: app}
spec: {selector: {app: app}, ports: [{port: 8000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  strategy: {rollingUpdate: {maxUnavailable: 0}}
  template:
    metadata: {labels: {app: app}}
    spec:
      runtimeClassName: $RUNTIME
      securityContext: {runAsUser: 65534, runAsGroup: 65534}
      volumes: [{name: app, configMap: {name: app}}]
      containers:
      - name: app
        image: test.local/app:1
        command: [/usr/bin/python3, /srv/app/app.py]
        env:
        - {name: APPLICATION, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: DATABASE, value: "host=$(DB_SERVICE_HOST) dbname=orders user=orders password=secret"}
        - {name: PYTHONDONTWRITEBYTECODE, value: "1"}
        volumeMounts: [{name: app, mountPath: /srv/app}]
        readinessProbe: {httpGet: {port: 8000, path: /health}, $PERIOD}
        # Until no service sends it anything new.
        lifecycle: {preStop: {sleep: {seconds: 2}}}
        resources: {limits: {memory: 128Mi, cpu: "1"}, requests: {memory: 32Mi, cpu: 10m}}
` + restricted

const webServer = `apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      runtimeClassName: $RUNTIME
      securityContext: {runAsUser: 33, runAsGroup: 33}
      volumes: [{name: config, configMap: {name: web}}, {name: run, emptyDir: {medium: Memory}}, {name: tmp, emptyDir: {medium: Memory}}]
      containers:
      - name: web
        image: test.local/web:1
        command: [/usr/sbin/nginx, -c, /etc/nginx/stack/nginx.conf]
        volumeMounts: [{name: config, mountPath: /etc/nginx/stack}, {name: run, mountPath: /run}, {name: tmp, mountPath: /tmp}]
        readinessProbe: {httpGet: {port: 80, path: /health}, $PERIOD}
        resources: {limits: {memory: 64Mi, cpu: "1"}, requests: {memory: 16Mi, cpu: 10m}}
` + restricted

// webStack is scaled and rolled over while a visitor orders: each order is answered, and is one row.
func webStack(s *space) {
	if err := stackImages(); err != nil {
		s.Fatal(err)
	}
	rollout := func(name string) {
		s.Helper()
		s.kubectl("rollout", "status", "deployment/"+name, patience())
	}
	testdata := "../../e2e/testdata/"
	s.kubectl("create", "configmap", "app", "--from-file="+testdata+"app.py")
	s.apply(database)
	rollout("db")
	pod := s.names("app=db")[0]
	psql := func(name, statement string) string {
		s.Helper()
		return s.exec(pod, "psql", "--host", "/run", "--dbname", name, "--no-psqlrc", "--tuples-only", "--no-align", "--quiet",
			"--set", "ON_ERROR_STOP=1", "--command", statement)
	}
	psql("postgres", "CREATE ROLE orders LOGIN PASSWORD 'secret'")
	psql("postgres", "CREATE DATABASE orders OWNER orders")
	psql("orders", "SET ROLE orders; CREATE TABLE orders (id text PRIMARY KEY, application text NOT NULL)")
	s.apply(application)
	rollout("app")
	upstream := fmt.Sprintf("map \"\" $generation { default 1; }\nupstream applications { server %s:8000; }\n", s.field("service/app", ".spec.clusterIP"))
	s.kubectl("create", "configmap", "web", "--from-file="+testdata+"nginx.conf", "--from-literal=applications.conf="+upstream)
	s.apply(webServer)
	rollout("web")

	s.ready("visitor", "restartPolicy: Never\ncontainers:\n- {name: c, image: $IMAGE, command: [/guest, order, http://"+
		s.field("service/web", ".spec.clusterIP")+"/orders, /tmp/stop]}\n")
	s.kubectl("scale", "deployment/app", "--replicas=5")
	rollout("app")
	s.kubectl("set", "image", "deployment/app", "app=test.local/app:2")
	rollout("app")
	s.eventually("orders at all applications", func() error {
		if out := psql("orders", "SELECT count(DISTINCT application) >= 8 FROM orders"); strings.TrimSpace(out) != "t" {
			return errors.New("only at some")
		}
		return nil
	})
	s.exec("visitor", "touch", "/tmp/stop")
	s.wait("jsonpath={.status.phase}=Succeeded", "pod/visitor")
	var answered, failed int
	if _, err := fmt.Sscanf(s.kubectl("logs", "visitor"), "%d orders answered, %d failed", &answered, &failed); err != nil {
		s.Fatal(err)
	}
	s.Logf("orders answered: %d, failed: %d", answered, failed)
	if failed > 0 || answered == 0 {
		s.Errorf("orders answered: %d, failed: %d\n%s", answered, failed, s.kubectl("logs", "visitor"))
	}
	s.equal("rows", psql("orders", "SELECT count(*) FROM orders"), fmt.Sprint(answered))
}
