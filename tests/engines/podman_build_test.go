// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// containerfile uses each kind of mount that RUN has, another user, and several stages.
const containerfile = `FROM localhost/box AS workshop
ARG WHO=nobody
RUN echo built by $WHO >/result; id -u
RUN --mount=type=cache,target=/cache echo x >>/cache/file
RUN --mount=type=tmpfs,target=/scratch grep -q ' /scratch tmpfs' /proc/mounts
RUN --mount=type=secret,id=word test "$(cat /run/secrets/word)" = swordfish
RUN --mount=type=bind,source=file,target=/file cat /file >>/result
RUN --network=none test "$(ls /sys/class/net)" = lo
USER 1000
RUN test "$(id -u)" = 1000
FROM localhost/box
COPY --from=workshop /result /
WORKDIR /tmp
RUN ["/bin/sh", "-c", "pwd >>/result"]
CMD ["cat", "/result"]
`

const containerfileResult = "built by me\ncargo\n/tmp"

// testBuild has images that are built, where each RUN is a container.
func (p *podmanEngine) testBuild(t *testing.T) {
	for _, isolation := range []string{"oci", "rootless", "chroot"} {
		level := operation
		if isolation == "oci" {
			level = smoke
		}
		level(t, "build with isolation "+isolation, func(t *T) {
			p.build(t, p.command("build"), "--isolation", isolation)
		})
	}
	operation(t, "buildah", func(t *T) {
		p.build(t, p.shell("buildah", "build"), "--runtime", runtimePath(), "--isolation", "oci")
	})
	operation(t, "buildah run", func(t *T) {
		name := p.buildah(t, "from", "box")
		t.Cleanup(func() { p.buildah(t, "rm", name) })
		out := p.buildah(t, "run", "--runtime", runtimePath(), "--isolation", "oci", "--cap-drop", "all", "--hostname", "mole", "--user", "1000", name, "--", "sh", "-c", "hostname; id -u; grep CapEff /proc/self/status")
		t.equal("output", out, "mole\n1000\nCapEff:\t0000000000000000")
		r := p.shell("buildah", "run", "--runtime", runtimePath(), "--isolation", "oci", name, "sh", "-c", "exit 7").try(t)
		t.equal("exit status", fmt.Sprint(r.code), "7")
	})
	operation(t, "build that fails", func(t *T) {
		dir := p.directory(t)
		text := "FROM localhost/box\nRUN exit 42\n"
		if err := os.WriteFile(dir+"/Containerfile", []byte(text), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
		r := p.try(t, "build", "--isolation", "oci", "--no-cache", dir)
		t.equal("exit status", fmt.Sprint(r.code), "42")
	})
	operation(t, "build limits", func(t *T) { p.buildLimits(t) })
}

func (p *podmanEngine) buildLimits(t *T) {
	p.needController(t, "memory")
	dir := p.directory(t)
	text := "FROM localhost/box\nRUN cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; ulimit -n\n"
	if err := os.WriteFile(dir+"/Containerfile", []byte(text), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	out := p.do(t, "build", "--isolation", "oci", "--no-cache", "--memory", "64m", "--ulimit", "nofile=77:77", dir)
	t.contains("output", out, "67108864", "77")
}

func (p *podmanEngine) buildah(t *T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(p.shell(append([]string{"buildah"}, args...)...).run(t))
}

// build builds and runs an image.
func (p *podmanEngine) build(t *T, verb command, options ...string) {
	dir := p.directory(t)
	for name, text := range map[string]string{"Containerfile": containerfile, "file": "cargo\n", "word": "swordfish"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
	}
	t.Cleanup(func() { p.do(t, "rmi", "--force", "built") })
	if p.rootless {
		command{args: []string{"chown", "--recursive", podmanUser, dir}}.run(t)
	}
	verb.args = append(append(verb.args, options...), "--no-cache", "--build-arg", "WHO=me", "--secret", "id=word,src="+dir+"/word", "--tag", "built", dir)
	verb.run(t)
	t.equal("the image's output", p.do(t, "run", "--rm", "built"), containerfileResult)
}
