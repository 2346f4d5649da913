// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// statusTrailer follows the output of a command.
const statusTrailer = "Status"

// serve runs the command of each request: its arguments are those of the query, its input is the
// body, and the answer is what it prints. It is killed when the caller has gone. It listens on
// the network of a test alone.
func serve(address string) error {
	server := &http.Server{Addr: address, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(run)}
	return server.ListenAndServe()
}

func run(w http.ResponseWriter, r *http.Request) {
	args := r.URL.Query()["arg"]
	if len(args) == 0 {
		http.Error(w, "no command", http.StatusBadRequest)
		return
	}
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Trailer", statusTrailer)
	w.WriteHeader(http.StatusOK)
	output := flusher{w, control}
	cmd := exec.CommandContext(r.Context(), args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r.Body, output, output
	// Its children may keep its output.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if !errors.Is(err, exec.ErrWaitDelay) {
		// What the command has not read, or the server would read it at the same time as the next request.
		_, _ = io.Copy(io.Discard, r.Body)
	}
	status := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		status = exit.ExitCode()
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		_, _ = fmt.Fprintln(output, err)
		status = 127
	}
	w.Header().Set(statusTrailer, strconv.Itoa(status))
}

// flusher sends each part at once.
type flusher struct {
	io.Writer
	control *http.ResponseController
}

func (f flusher) Write(data []byte) (int, error) {
	n, err := f.Writer.Write(data)
	if err != nil {
		return n, err
	}
	return n, f.control.Flush()
}

// call has a command run by the server, with this program's input and output, and returns its
// exit status.
func call(address string, args []string) (int, error) {
	request, err := http.NewRequest(http.MethodPost, "http://"+address+"/?"+url.Values{"arg": args}.Encode(), os.Stdin) //nolint:noctx // It takes as long as the command.
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil {
		return 0, err
	}
	status := answer.Trailer.Get(statusTrailer)
	if answer.StatusCode != http.StatusOK || status == "" {
		return 0, fmt.Errorf("%s: %s, and no exit status", address, answer.Status)
	}
	return strconv.Atoi(status)
}
