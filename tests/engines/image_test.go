// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
)

// importBox makes the image box: busybox and nothing else.
func (d *dockerEngine) importBox(t reporter) {
	t.Helper()
	d.command("import", "--change", `ENV PATH=/bin`, "-", "box").stdinOf(boxTar(t)).run(t)
}

// stdinOf returns the command with that input.
func (c command) stdinOf(data []byte) command {
	c.stdin = string(data)
	return c
}

// boxTar returns a root file system with busybox and links to it.
func boxTar(t reporter) []byte {
	t.Helper()
	box, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatalf("%v", err)
	}
	applets := command{args: []string{"busybox", "--list"}}.run(t)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, data []byte) {
		h.Size, h.Mode = int64(len(data)), cmp.Or(h.Mode, 0o755)
		if err == nil {
			err = w.WriteHeader(&h)
		}
		if err == nil {
			_, err = w.Write(data)
		}
	}
	for _, dir := range []string{"bin", "dev", "etc", "proc", "root", "sys", "var", "run"} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/"}, nil)
	}
	add(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil)
	add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox"}, box)
	for _, applet := range strings.Fields(applets) {
		if applet != "busybox" {
			add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + applet, Linkname: "busybox"}, nil)
		}
	}
	add(tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n"))
	add(tar.Header{Typeflag: tar.TypeReg, Name: "etc/group", Mode: 0o644}, []byte("root:x:0:\nuser:x:1000:\nextra:x:1001:user\n"))
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatalf("busybox's tar: %v", err)
	}
	return b.Bytes()
}

// counts is a shell that counts from first on into a file. It has no child for a pause: criu cannot
// stop a shell that waits for its child to begin a program, and a sleep ends at a checkpoint,
// since criu interrupts its system call.
func counts(first int, file string) []string {
	return []string{"sh", "-c", fmt.Sprintf("mkfifo /fifo; exec 3<>/fifo; i=%d; while :; do i=$((i+1)); echo $i >%s; read -t 0.1 x <&3; done", first, file)}
}
