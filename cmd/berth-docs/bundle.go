// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/berth-run/berth/cmd/internal/cli"
)

const bundleText = `A bundle is a directory with a file config.json, which describes a container, and usually a
directory with its root file system. The format is that of the OCI runtime-spec, whose versions 1.0
to 1.3 berth reads. ` + "`berth spec`" + ` writes a config.json as a starting point.

berth reads config.json once, when a container is created, and nothing of it later: the state
directory has what is still needed. A key that the runtime-spec does not define has no effect but a
warning. A value of the wrong type, a number out of range, fields that contradict each other, and
what berth does not support are errors, which name the field. ` + "`berth check`" + ` shows all of both at
once, with their lines and columns. A relative path is relative to the bundle. Paths in the
container must be absolute; symbolic links in them are followed within the root file system and
never lead out of it.`

const fieldsText = `"yes" may still be an error if the kernel lacks the feature. [] stands for an element of a list, .*
for a value of a map, and {a,b} for several fields. Fields of other platforms are ignored.`

const annotationsText = `These annotations change what berth does. All others are kept in the state and passed to hooks.`

const bundleExample = `The smallest bundle that does something, with a static busybox:
  mkdir -p box/rootfs/bin
  cp /bin/busybox box/rootfs/bin/
  berth spec --bundle box --no-tty -- busybox echo hello
  berth run --bundle box hello
An annotation, for a network interface on a bridge of the host:
  "annotations": {
    "run.berth.network":
      "{\"interfaces\": [{\"bridge\": \"br0\", \"addresses\": [\"10.88.0.2/24\"]}]}"
  }`

// bundlePage returns berth-bundle(5). support is docs/spec-support.md: the fields of config.json and
// the annotations.
func bundlePage(support string, date time.Time) (string, error) {
	p := newPage("berth-bundle", "5", date, cli.Version(), manualName)
	p.section("NAME")
	p.line(`berth\-bundle \- bundles and config.json, as berth reads them`)
	p.section("DESCRIPTION")
	p.text(bundleText)
	p.section("FIELDS OF CONFIG.JSON")
	p.text(fieldsText)
	rows, section := 0, ""
	for line := range strings.Lines(support) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			if section = title; section == "Annotations" {
				p.section("ANNOTATIONS")
				p.text(annotationsText)
				continue
			}
			p.subsection(section)
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		if len(cells) != 3 || !strings.HasPrefix(strings.TrimSpace(cells[0]), "`") {
			continue
		}
		rows++
		p.item(inline(strings.TrimSpace(cells[0])), sentence(strings.TrimSpace(cells[1])))
	}
	if rows < 75 || section != "Annotations" {
		return "", fmt.Errorf("%s: only %d fields and annotations, the last ones in %q", supportFile, rows, section)
	}
	p.items("FILES", []entry{
		{"config.json", "In the directory that `--bundle` names, or in the working directory. `--config` names another file."},
		{"rootfs", "The usual value of `root.path`, and the one that `berth spec` writes."},
	})
	p.section("EXAMPLES")
	p.text(bundleExample)
	p.section("SEE ALSO")
	p.text("berth(8), berth-spec(8), berth-check(8), berth-create(8), berth-run(8), capabilities(7)\n\nThe OCI runtime-spec: https://github.com/opencontainers/runtime-spec")
	return p.String(), nil
}
