// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPodmanToolbox has the two programs that give an ordinary user a container that is like the
// machine: the user's home, devices, network and processes. The image is the room itself, which
// has all that they would install.
func TestPodmanToolbox(t *testing.T) {
	inRoom(t)
	if suite.smoke {
		return
	}
	p := startPodman(t, true)
	p.importRoom(t)
	operation(t, "distrobox", func(t *T) {
		t.Cleanup(func() { _ = p.shell("distrobox", "rm", "--force", "hold").try(t) })
		p.shell("distrobox", "create", "--yes", "--image", "localhost/room", "--name", "hold", "--no-entry").run(t)
		out := p.shell("distrobox", "enter", "--no-tty", "hold", "--", "sh", "-c", "id --user --name; pwd; test -e /run/.containerenv && test -e /run/host/etc/passwd && echo inside").run(t)
		t.contains("output", out, podmanUser, podmanHome, "inside")
		t.equal("root there", p.do(t, "exec", "--user", "root", "hold", "id", "--user"), "0")
		p.shell("distrobox", "stop", "--yes", "hold").run(t)
	})
	// The program needs what systemd-tmpfiles makes for it.
	command{args: []string{"systemd-tmpfiles", "--create", "toolbox.conf"}}.run(t)
	if err := os.MkdirAll("/run/dbus", 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	start(t, "dbus", nil, "dbus-daemon", "--system", "--nofork", "--nopidfile")
	operation(t, "toolbox", func(t *T) {
		t.Cleanup(func() { _ = p.shell("toolbox", "rm", "--force", "hold").try(t) })
		p.shell("toolbox", "--assumeyes", "create", "--image", "localhost/room", "hold").run(t)
		out := p.shell("toolbox", "run", "--container", "hold", "sh", "-c", "id --user --name; test -e /run/.toolboxenv && echo inside").run(t)
		t.contains("output", out, podmanUser, "inside")
	})
}

// importRoom makes the image room of the room itself.
func (p *podmanEngine) importRoom(t *testing.T) {
	t.Helper()
	// distrobox installs what it misses, for which there is no network.
	for _, name := range strings.Fields("bc bzip2 curl gpg hostname less lsof man pigz pinentry ping rsync ssh sudo time tree unzip wget xauth xz zip") {
		if _, err := exec.LookPath(name); err != nil {
			if err := os.Symlink("/bin/true", "/usr/local/bin/"+name); err != nil {
				t.Fatalf("%v", err)
			}
		}
	}
	if err := os.WriteFile("/.containersetupdone", nil, 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	var archive bytes.Buffer
	pack := exec.Command("tar", "--create", "--one-file-system", "--exclude=./var/lib/containers", "--exclude=./opt", "--exclude=./tmp/*", "--exclude=./var/cache", "--directory=/", ".")
	pack.Stdout = &archive
	if err := pack.Run(); err != nil {
		t.Fatalf("tar: %v", err)
	}
	p.command("import", "--quiet", "--change", "LABEL com.github.containers.toolbox=true", "--change", "CMD /bin/bash", "-", "room").stdinOf(archive.Bytes()).run(t)
}
