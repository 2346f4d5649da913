// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
)

// maxPasswd is the largest /etc/passwd that is read: the file comes from the image, and the
// builder's memory is the host's.
const maxPasswd = 4 << 20

// Home returns the home directory of uid in the /etc/passwd of the container whose root directory
// is root, "/" if there is none. proc is a procfs from outside.
func Home(root *inroot.Root, proc *procfs.Handle, uid uint32) (string, error) {
	data, err := readData(root, proc, "/etc/passwd", maxPasswd)
	if inroot.IsMissing(err) {
		return "/", nil
	}
	if err != nil {
		return "", fmt.Errorf("process.env: HOME: %w", err)
	}
	return homeOf(data, uid), nil
}

// homeOf returns the sixth field of the first line of passwd(5) whose third field is uid.
// Malformed lines are skipped.
func homeOf(passwd []byte, uid uint32) string {
	for len(passwd) > 0 {
		var line []byte
		line, passwd, _ = bytes.Cut(passwd, []byte{'\n'})
		fields := bytes.Split(line, []byte{':'})
		if len(fields) < 6 {
			continue
		}
		n, err := strconv.ParseUint(string(fields[2]), 10, 32)
		if err != nil || uint32(n) != uid {
			continue
		}
		home := fields[5]
		// It becomes part of the environment, where NUL ends a string.
		if len(home) == 0 || bytes.IndexByte(home, 0) >= 0 {
			return "/"
		}
		return string(home)
	}
	return "/"
}
