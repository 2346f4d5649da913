// SPDX-License-Identifier: Apache-2.0

// Guest is the program in the cluster's images: what a test needs in a container, and busybox
// does not have or cannot do. As `guest pause` it is the first process of each pod.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if filepath.Base(os.Args[0]) == "nnp" {
		// As the image nonewprivs of Kubernetes' tests does.
		fmt.Println("Effective uid:", os.Geteuid())
		return
	}
	if len(os.Args) < 2 {
		fatal(fmt.Errorf("usage: guest pause | serve PORT | get URL | eat MIB | signals FILE | order URL FILE"))
	}
	var err error
	switch command, args := os.Args[1], os.Args[2:]; command {
	case "pause":
		pause()
	case "serve":
		err = serve(args[0])
	case "get":
		err = get(args[0])
	case "eat":
		err = eat(args[0])
	case "signals":
		err = signals(args[0])
	case "order":
		order(args[0], args[1])
	default:
		err = fmt.Errorf("unknown command %s", command)
	}
	if err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "guest:", err)
	os.Exit(1)
}

// pause waits for a signal to end, and meanwhile reaps: with a shared pid namespace it is the
// first process of all containers in the pod.
func pause() {
	received := make(chan os.Signal, 8)
	signal.Notify(received, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for s := range received {
		if s != syscall.SIGCHLD {
			return
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != nil || pid <= 0 {
				break
			}
		}
	}
}

// serve answers every request with the host's name and $VERSION.
func serve(port string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	server := &http.Server{Addr: ":" + port, ReadHeaderTimeout: time.Minute}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s\n", name, os.Getenv("VERSION"))
	})
	return server.ListenAndServe()
}

// get prints what a server answers. busybox's wget needs a C library that can be loaded.
func get(url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url) //nolint:noctx // The client has a time limit.
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}

// eat touches that much memory, and keeps it.
func eat(mib string) error {
	size, err := strconv.Atoi(mib)
	if err != nil {
		return err
	}
	memory := make([]byte, size<<20)
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	fmt.Println("eaten")
	pause()
	memory[0]++ // It must not be collected before.
	return nil
}

// signals appends the names of the signals that it receives to a file, and ends after SIGTERM or
// SIGUSR1.
func signals(file string) error {
	received := make(chan os.Signal, 8)
	signal.Notify(received, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGHUP)
	fmt.Println("listening")
	for s := range received {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(f, s)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		if s == syscall.SIGTERM || s == syscall.SIGUSR1 {
			return nil
		}
	}
	return nil
}

// order posts orders one after the other until the file is there, and prints how many there were. The
// first one waits: the rules of a new service come a second after it.
func order(url, file string) {
	client := http.Client{Timeout: 10 * time.Second}
	answered, failed, complaints := 0, 0, []string{}
	for {
		if _, err := os.Stat(file); err == nil {
			break
		}
		body := fmt.Sprintf(`{"id": "order %d"}`, answered+failed)
		answer, err := client.Post(url, "application/json", strings.NewReader(body)) //nolint:noctx // The client has a time limit.
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				err = fmt.Errorf("%s", answer.Status)
			}
		}
		if err == nil {
			answered++
			continue
		}
		if answered == 0 {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		failed++
		complaints = append(complaints, err.Error())
	}
	fmt.Printf("%d orders answered, %d failed\n%s\n", answered, failed, strings.Join(complaints, "\n"))
}
