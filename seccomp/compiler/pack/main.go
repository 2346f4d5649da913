// SPDX-License-Identifier: Apache-2.0

// Command pack makes the file that berth embeds (package packed) of the compiler's
// executable. The build runs it: `pack <executable> <output>`.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/seccomp/internal/packed"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pack <executable> <output>")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(in, out string) error {
	exe, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	version, err := libraryVersion(exe)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	h := packed.Header{Sum: sha256.Sum256(exe), Size: int64(len(exe)), Library: version}
	return os.WriteFile(out, append(h.Encode(), exe...), 0o644)
}

// libraryVersion finds the mark that the compiler's version.go leaves.
func libraryVersion(exe []byte) (packed.Version, error) {
	const mark = "berth:libseccomp="
	i := bytes.Index(exe, []byte(mark))
	if i < 0 {
		return packed.Version{}, errors.New("no mark of libseccomp's version in it")
	}
	rest := exe[i+len(mark):]
	end := bytes.IndexByte(rest, ';')
	if end < 0 || end > len("255.255.255") {
		return packed.Version{}, errors.New("the mark of libseccomp's version has no end")
	}
	var v packed.Version
	if _, err := fmt.Sscanf(string(rest[:end]), "%d.%d.%d", &v.Major, &v.Minor, &v.Micro); err != nil {
		return packed.Version{}, fmt.Errorf("version %q: %w", rest[:end], err)
	}
	return v, nil
}
