// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMsgConnCarriesValuesAndFiles(t *testing.T) {
	a, theirs, err := msgPair()
	if err != nil {
		t.Fatal(err)
	}
	b := &msgConn{theirs}
	defer b.close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := a.send(&builderReply{Home: "/root"}, w); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	var got builderReply
	files, err := b.receive(&got)
	if err != nil || got.Home != "/root" || len(files) != 1 {
		t.Fatalf("got %+v with %d files, %v", got, len(files), err)
	}
	if _, err := files[0].WriteString("through"); err != nil {
		t.Fatal(err)
	}
	_ = files[0].Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != "through" {
		t.Errorf("the passed pipe gave %q, %v", text, err)
	}
	if err := a.send(strings.Repeat("x", maxMessage+1)); err == nil {
		t.Error("a message over the limit was sent")
	}
	many := make([]*os.File, maxMessageFDs+5)
	for i := range many {
		many[i] = r
	}
	if err := a.sendFiles(many); err != nil {
		t.Fatal(err)
	}
	files, err = b.receiveFiles(len(many))
	if err != nil || len(files) != len(many) {
		t.Errorf("%d files of %d, %v", len(files), len(many), err)
	}
	for _, f := range files {
		_ = f.Close()
	}
	a.close()
	if _, err := b.receiveFiles(1); !errors.Is(err, io.EOF) {
		t.Errorf("files after the other side has closed: %v", err)
	}
	if _, err := b.receive(&got); !errors.Is(err, io.EOF) {
		t.Errorf("after the other side has closed: %v", err)
	}
}

// TestMsgConnLosesFiles: it is an error if there are no free descriptors for the files of a
// message.
func TestMsgConnLosesFiles(t *testing.T) {
	a, theirs, err := msgPair()
	if err != nil {
		t.Fatal(err)
	}
	b := &msgConn{theirs}
	defer a.close()
	defer b.close()
	if err := a.send(struct{}{}, theirs, theirs); err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	next, err := unix.FcntlInt(theirs.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(next)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next) + 1, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	files, err := b.receive(&struct{}{})
	if rerr := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); rerr != nil {
		t.Fatal(rerr)
	}
	if err == nil || len(files) != 1 {
		t.Errorf("%d files of 2, %v", len(files), err)
	}
	for _, f := range files {
		_ = f.Close()
	}
}

// TestFinishWithoutBuilder: a builder process that has died is still reaped.
func TestFinishWithoutBuilder(t *testing.T) {
	ours, theirs, err := msgPair()
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	b := &processBuilder{job: &buildJob{}, builderProcess: builderProcess{conn: ours}}
	if _, err := b.Finish(); !errors.Is(err, unix.EPIPE) || !strings.HasPrefix(err.Error(), "builder process: ") {
		t.Errorf("error %v", err)
	}
	if b.conn != nil {
		t.Error("the connection is still open")
	}
}
