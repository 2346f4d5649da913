// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// engine is a container engine, and where it is told about runtimes.
type engine struct {
	name string
	// programs are looked for to find out whether it is installed.
	programs []string
	// files are patterns, of which a later one has the last word.
	files []string
	// runtimes returns the paths of runtimes that a file names, by the runtime's name.
	runtimes func(text string) (map[string]string, error)
	// mend is what to write, and where.
	mend string
}

const defaultPath = "/usr/local/bin/berth"

func engines(home string) []engine {
	return []engine{
		{
			"Docker",
			[]string{"dockerd"},
			[]string{"/etc/docker/daemon.json"},
			dockerRuntimes,
			`in /etc/docker/daemon.json: {"runtimes": {"berth": {"path": "` + defaultPath + `"}}}, and restart it`,
		},
		{
			"containerd",
			[]string{"containerd"},
			[]string{"/etc/containerd/config.toml", "/etc/containerd/conf.d/*.toml"},
			tomlRuntimes,
			"in /etc/containerd/config.toml a runtime with the options BinaryName = \"" + defaultPath + `", and restart it`,
		},
		{
			"Podman",
			[]string{"podman"},
			[]string{
				"/usr/share/containers/containers.conf", "/etc/containers/containers.conf", "/etc/containers/containers.conf.d/*.conf",
				home + "/.config/containers/containers.conf", home + "/.config/containers/containers.conf.d/*.conf",
			},
			tomlRuntimes,
			"in /etc/containers/containers.conf.d/berth.conf: [engine.runtimes] berth = [\"" + defaultPath + `"]`,
		},
		{
			"CRI-O",
			[]string{"crio"},
			[]string{"/etc/crio/crio.conf", "/etc/crio/crio.conf.d/*"},
			tomlRuntimes,
			"in /etc/crio/crio.conf.d/berth.conf: [crio.runtime.runtimes.berth] runtime_path = \"" + defaultPath + `", and restart it`,
		},
	}
}

// engines looks at the configuration of engines.
func (x *examination) engines() {
	home, _ := os.UserHomeDir()
	list := engines(home)
	for i := range list {
		x.add(list[i].examine())
	}
}

func (e *engine) examine() *Condition {
	c := &Condition{Area: "engines", Name: e.name, Status: OK, Effect: "it does not use berth"}
	runtimes, files, problem := e.read()
	installed := slices.ContainsFunc(e.programs, func(p string) bool { _, err := lookUp(p); return err == nil })
	switch {
	case problem != nil:
		c.Status, c.Found = Missing, problem.Error()
		c.Mend = "correct the file"
	case len(runtimes) == 0 && !installed:
		c.Status, c.Found = Unused, "not installed"
	case len(runtimes) == 0:
		c.Status, c.Found = Limited, "berth is not configured"
		if len(files) > 0 {
			c.Found += " in " + strings.Join(files, ", ")
		}
		c.Mend, c.Command = e.mend, "see docs/engines.md"
	default:
		e.found(c, runtimes)
	}
	return c
}

// found checks that the programs exist.
func (e *engine) found(c *Condition, runtimes map[string]string) {
	for name, path := range runtimes {
		text := name + " = " + path
		if c.Found != "" {
			c.Found += ", "
		}
		c.Found += text
		if !filepath.IsAbs(path) {
			found, err := lookUp(path)
			if err != nil {
				c.Status, c.Mend = Missing, fmt.Sprintf("there is no %s in PATH: install berth, or give its whole path", path)
				continue
			}
			path = found
		}
		if err := unix.Access(path, unix.X_OK); err != nil {
			c.Status, c.Mend = Missing, fmt.Sprintf("%s: %v: install berth there, or correct the path", path, err)
			c.Command = "install -D bin/berth " + path
		}
	}
}

// read returns the runtimes that are berth, from all files that exist.
func (e *engine) read() (runtimes map[string]string, files []string, err error) {
	runtimes = make(map[string]string)
	for _, pattern := range e.files {
		found, _ := filepath.Glob(pattern)
		for _, file := range found {
			text, err := readConfig(file)
			if err != nil {
				return nil, files, err
			}
			files = append(files, file)
			all, err := e.runtimes(text)
			if err != nil {
				return nil, files, fmt.Errorf("%s: %w", file, err)
			}
			for name, path := range all {
				if strings.Contains(name, "berth") || strings.Contains(filepath.Base(path), "berth") {
					runtimes[name] = path
				}
			}
		}
	}
	return runtimes, files, nil
}

// readConfig reads a file of a megabyte at most.
func readConfig(file string) (string, error) {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: file, Err: err}
	}
	f := os.NewFile(uintptr(fd), file)
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 1<<20))
	return string(data), err
}

// dockerRuntimes reads daemon.json.
func dockerRuntimes(text string) (map[string]string, error) {
	var d struct {
		Runtimes map[string]struct {
			Path string `json:"path"`
			Type string `json:"runtimeType"`
		} `json:"runtimes"`
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return nil, err
	}
	all := make(map[string]string)
	for name, r := range d.Runtimes {
		if r.Path != "" {
			all[name] = r.Path
		}
	}
	return all, nil
}

// tomlRuntimes looks for paths of runtimes in TOML: it knows the keys, and does not parse the rest.
//
//	[engine.runtimes]                        Podman
//	berth = ["/usr/local/bin/berth"]
//	[crio.runtime.runtimes.berth]            CRI-O
//	runtime_path = "/usr/local/bin/berth"
//	[….runtimes.berth.options]               containerd
//	BinaryName = "/usr/local/bin/berth"
func tomlRuntimes(text string) (map[string]string, error) {
	key := regexp.MustCompile(`^\s*"?([\w.-]+)"?\s*=\s*\[?\s*["']([^"']*)["']`)
	// An array may go on in the next line.
	text = regexp.MustCompile(`=\s*\[\s*\n\s*`).ReplaceAllString(text, "= [")
	all := make(map[string]string)
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = strings.NewReplacer("'", "", `"`, "").Replace(strings.Trim(line, "[] "))
			continue
		}
		m := key.FindStringSubmatch(line)
		if m == nil || m[2] == "" {
			continue
		}
		parts := strings.Split(strings.TrimSuffix(section, ".options"), ".")
		last := parts[len(parts)-1]
		switch {
		case section == "engine.runtimes":
			all[m[1]] = m[2]
		case m[1] == "runtime_path", m[1] == "BinaryName":
			all[last] = m[2]
		}
	}
	return all, nil
}
