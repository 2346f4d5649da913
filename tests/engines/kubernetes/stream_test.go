// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

func streams() []operation {
	return []operation{
		{"exec", execute},
		{"exec with a terminal", terminal},
		{"50 execs at once", manyExecs},
		{"attach", attach},
		{"logs", logs},
		{"cp", copyFiles},
		{"port-forward", portForward},
	}
}

func execute(s *space) {
	s.ready("p", client)
	s.equal("output", s.exec("p", "echo", "hello"), "hello")
	out, err := suite.cluster.kubectl("input", "--namespace", s.name, "exec", "-i", "p", "--", "tr", "a-z", "A-Z")
	if err != nil {
		s.Error(err)
	}
	s.equal("with input", out, "INPUT")
	_, err = s.try("exec", "p", "--", "sh", "-c", "echo complaint >&2; exit 7")
	s.contains("exit code", fmt.Sprint(err), "exit code 7")
	s.contains("errors", fmt.Sprint(err), "complaint")
	_, err = s.try("exec", "p", "--", "/no/such/program")
	s.contains("a missing program", fmt.Sprint(err), "no such file or directory")
	_, err = s.try("exec", "p", "--", "/etc")
	s.contains("a directory", fmt.Sprint(err), "is a directory")
	// More than a pipe holds, in both directions.
	input := strings.Repeat("0123456789abcdef", 1<<16)
	out, err = suite.cluster.kubectl(input, "--namespace", s.name, "exec", "-i", "p", "--", "cat")
	if err != nil || out != input {
		s.Errorf("1 MiB through cat: %d bytes, %v", len(out), err)
	}
}

// onTerminal runs kubectl on a terminal of 40 lines of 100 characters, which script makes, and
// returns all that appears.
func (s *space) onTerminal(input string, args ...string) string {
	s.Helper()
	words := append([]string{filepath.Join(suite.programs, "kubectl"), "--kubeconfig", suite.cluster.admin, "--namespace", s.name}, args...)
	quoted := "'" + strings.Join(words, "' '") + "'"
	cmd := exec.Command("script", "--quiet", "--return", "--command", "stty rows 40 cols 100; "+quoted, "/dev/null")
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Errorf("kubectl %v on a terminal: %v: %s", args, err, out)
	}
	return string(out)
}

func terminal(s *space) {
	s.ready("p", client)
	out := s.onTerminal("", "exec", "-it", "p", "--", "sh", "-c", "tty; until stty size 2>/dev/null | grep \"40 100\"; do usleep 10000; done")
	s.contains("terminal", out, "/dev/pts/")
	s.contains("size", out, "40 100")
}

func manyExecs(s *space) {
	s.ready("p", client)
	var group sync.WaitGroup
	failures := make(chan string, 50)
	for i := range 50 {
		group.Go(func() {
			want := fmt.Sprintf("number %d\n", i)
			if out, err := s.try("exec", "p", "--", "sh", "-c", fmt.Sprintf("echo number %d; exit 0", i)); err != nil || out != want {
				failures <- fmt.Sprintf("exec %d: %q %v", i, out, err)
			}
		})
	}
	group.Wait()
	close(failures)
	for failure := range failures {
		s.Error(failure)
	}
}

func attach(s *space) {
	s.ready("p", `containers:
- {name: c, image: $IMAGE, stdin: true, stdinOnce: true, command: [sh, -c, "while read -r line; do echo got $line; done; exit 5"]}
restartPolicy: Never
`)
	out, err := suite.cluster.kubectl("one\ntwo\n", "--namespace", s.name, "attach", "-i", "p")
	if err != nil {
		s.Error(err)
	}
	// What came before attaching is in the logs.
	s.contains("attached", out+s.kubectl("logs", "p"), "got two")
	s.wait("jsonpath={.status.containerStatuses[0].state.terminated.exitCode}=5", "pod/p")
}

func logs(s *space) {
	s.ready("p", `containers:
- {name: c, image: $IMAGE, command: [sh, -c, "echo one; echo two >&2; sleep 1000"]}
`)
	s.eventually("logs", func() error {
		// They are two pipes, and either may be first.
		if out := s.kubectl("logs", "p"); out != "one\ntwo\n" && out != "two\none\n" {
			return fmt.Errorf("%q", out)
		}
		return nil
	})
	if out := s.kubectl("logs", "p", "--tail=1"); out != "one\n" && out != "two\n" {
		s.Errorf("last line: %q", out)
	}
	// Those of a container that is no more.
	s.pod("ends", "containers:\n- {name: c, image: $IMAGE, command: [echo, last words]}\nrestartPolicy: Never\n")
	s.wait("jsonpath={.status.phase}=Succeeded", "pod/ends")
	s.equal("logs of an ended one", s.kubectl("logs", "ends"), "last words")
}

func copyFiles(s *space) {
	s.ready("p", client)
	dir := s.TempDir()
	content := bytes.Repeat([]byte("contents\n"), 1<<15)
	if err := os.WriteFile(filepath.Join(dir, "file"), content, 0o600); err != nil {
		s.Fatal(err)
	}
	s.kubectl("cp", filepath.Join(dir, "file"), "p:/tmp/file")
	s.kubectl("cp", "p:/tmp/file", filepath.Join(dir, "back"))
	back, err := os.ReadFile(filepath.Join(dir, "back"))
	if err != nil || !bytes.Equal(back, content) {
		s.Errorf("copied there and back: %d bytes, %v", len(back), err)
	}
}

func portForward(s *space) {
	s.ready("p", `containers:
- {name: c, image: $IMAGE, command: [/guest, serve, "8080"], readinessProbe: {httpGet: {port: 8080}, $PERIOD}}
`)
	cmd := exec.Command(filepath.Join(suite.programs, "kubectl"), "--kubeconfig", suite.cluster.admin,
		"--namespace", s.name, "port-forward", "p", "18080:8080")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	s.within(20*time.Second, "the forwarded port", func() error {
		answer, err := exec.Command(filepath.Join(suite.staged, "guest"), "get", "http://127.0.0.1:18080/").Output()
		if err == nil && string(answer) != "p \n" {
			err = fmt.Errorf("%q", answer)
		}
		return err
	})
}
