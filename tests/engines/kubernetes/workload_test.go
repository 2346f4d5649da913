// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"errors"
	"fmt"
	"strings"
)

func workloads() []operation {
	return []operation{
		{"the pod of the document", documented},
		{"deployment scaled and rolled over", deployment},
		{"service across nodes", service},
		{"job", job},
		{"failing job", failingJob},
		{"cron job", cronJob},
		{"20 pods at once", manyPods},
		{"web stack scaled and rolled over", webStack},
	}
}

// web is a deployment of two servers, on different nodes if that is possible, and its service.
const web = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec:
      runtimeClassName: $RUNTIME
      terminationGracePeriodSeconds: 2
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}
      containers:
      - name: web
        image: $IMAGE
        command: [/guest, serve, "8080"]
        env: [{name: VERSION, value: first}]
        readinessProbe: {httpGet: {port: 8080}, $PERIOD}
        ports: [{containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
`

// client is a pod on a node that can be asked to call the service.
const client = `containers:
- {name: c, image: $IMAGE, command: [/guest, pause]}
`

// documented is what docs/kubernetes.md shows.
func documented(s *space) {
	manifest, err := snippet("yaml", 2)
	if err != nil {
		s.Fatal(err)
	}
	s.apply(strings.NewReplacer("runtimeClassName: berth", "runtimeClassName: $RUNTIME", "registry.example/busybox:1", "$IMAGE").Replace(manifest))
	s.wait("condition=Ready", "pod/hello")
	s.mapped("hello")
	s.kubectl("patch", "pod", "hello", "--subresource=resize",
		"--patch", `{"spec":{"containers":[{"name":"hello","resources":{"limits":{"memory":"128Mi"}}}]}}`)
	s.wait("jsonpath={.status.containerStatuses[0].resources.limits.memory}=128Mi", "pod/hello")
	s.equal("limit", s.cgroup("hello", memoryLimit), fmt.Sprint(128<<20))
}

func deployment(s *space) {
	s.apply(web)
	s.kubectl("rollout", "status", "deployment/web", patience())
	s.kubectl("scale", "deployment/web", "--replicas=5")
	s.kubectl("rollout", "status", "deployment/web", patience())
	if names := s.names("app=web"); len(names) != 5 {
		s.Errorf("pods after scaling to 5: %v", names)
	}
	s.kubectl("set", "image", "deployment/web", "web="+busybox2)
	s.kubectl("set", "env", "deployment/web", "VERSION=second")
	s.kubectl("rollout", "status", "deployment/web", patience())
	s.eventually("the old pods are gone", func() error {
		if out := s.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.containers[0].image}"); strings.Contains(out, busybox) {
			return errors.New(out)
		}
		return nil
	})
	for _, name := range s.names("app=web") {
		s.equal("version in "+name, s.exec(name, "sh", "-c", "echo $VERSION"), "second")
	}
	s.kubectl("rollout", "undo", "deployment/web")
	s.kubectl("rollout", "status", "deployment/web", patience())
}

func service(s *space) {
	s.apply(web)
	s.kubectl("rollout", "status", "deployment/web", patience())
	address := s.field("service/web", ".spec.clusterIP")
	for _, n := range suite.cluster.nodes {
		name := "client-" + n.name
		s.ready(name, client+"nodeName: "+n.name)
		// The rules choose by chance, and both servers must come up.
		answers := map[string]bool{}
		s.eventually("answers of both servers to "+name, func() error {
			out, err := s.try("exec", name, "--", "/guest", "get", "http://"+address+"/")
			if err != nil {
				return err
			}
			answers[out] = true
			if len(answers) < 2 {
				return fmt.Errorf("only %v", answers)
			}
			return nil
		})
	}
	nodes := map[string]bool{}
	for _, name := range s.names("app=web") {
		nodes[s.nodeOf(name).name] = true
		// Directly to the pod's address, from the other node or the same.
		address := s.field("pod/"+name, ".status.podIP")
		s.contains("answer of "+name, s.exec("client-n1", "/guest", "get", "http://"+address+":8080/"), name+" first")
	}
	if len(nodes) != len(suite.cluster.nodes) {
		s.Errorf("the servers are not on all nodes: %v", nodes)
	}
}

const batch = `apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  completions: 3
  parallelism: 2
  backoffLimit: 1
  template:
    spec:
      runtimeClassName: $RUNTIME
      restartPolicy: Never
      containers:
      - {name: c, image: $IMAGE, command: [sh, -c, "$COMMAND"]}
`

func job(s *space) {
	s.apply(strings.ReplaceAll(batch, "$COMMAND", "echo done"))
	s.wait("condition=Complete", "job/job")
	s.equal("succeeded", s.field("job/job", ".status.succeeded"), "3")
	s.contains("logs", s.kubectl("logs", "job/job"), "done")
}

func failingJob(s *space) {
	manifest := strings.ReplaceAll(batch, "$COMMAND", "exit 3")
	s.apply(strings.NewReplacer("completions: 3", "completions: 1", "parallelism: 2", "parallelism: 1").Replace(manifest))
	s.wait("condition=Failed", "job/job")
	s.contains("exit codes", s.kubectl("get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[0].state.terminated.exitCode}"), "3")
}

func cronJob(s *space) {
	s.apply(`apiVersion: batch/v1
kind: CronJob
metadata: {name: cron}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          runtimeClassName: $RUNTIME
          restartPolicy: Never
          containers:
          - {name: c, image: $IMAGE, command: [date]}
`)
	s.wait(`jsonpath={.status.lastSuccessfulTime}`, "cronjob/cron")
}

func manyPods(s *space) {
	s.apply(strings.NewReplacer("replicas: 2", "replicas: 20").Replace(web))
	s.kubectl("rollout", "status", "deployment/web", patience())
	if names := s.names("app=web"); len(names) != 20 {
		s.Errorf("pods: %v", names)
	}
}
