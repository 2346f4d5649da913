// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// wrapperEnv makes the test binary a runtime that edits what an engine asks for. Its value is the path
// of the runtime that it then becomes; wrapperEdit names the edit.
const (
	wrapperEnv  = "ENGINES_WRAPPER"
	wrapperEdit = "ENGINES_WRAPPER_EDIT"
)

// wrapperEdits are the edits by name.
func wrapperEdits() map[string]func(config map[string]any) {
	return map[string]func(config map[string]any){"device": addDevice, "resource": dropResource}
}

// wrap edits the config.json of a container that is about to be created, or the process of an exec, and
// becomes the runtime.
func wrap(runtime string) error {
	change := wrapperEdits()[os.Getenv(wrapperEdit)]
	var err error
	if bundle, found := option("--bundle"); found && slices.Contains(os.Args, "create") {
		err = edit(filepath.Join(bundle, "config.json"), change)
	} else if file, found := option("--process"); found && slices.Contains(os.Args, "exec") {
		err = edit(file, func(process map[string]any) { change(map[string]any{"process": process}) })
	}
	if err != nil {
		return err
	}
	return syscall.Exec(runtime, append([]string{runtime}, os.Args[1:]...), os.Environ())
}

// option returns the value of an option of this program.
func option(name string) (value string, found bool) {
	i := slices.Index(os.Args, name)
	if i < 0 || i+1 == len(os.Args) {
		return "", false
	}
	return os.Args[i+1], true
}

func edit(file string, change func(document map[string]any)) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // limits are larger than the integers of a float
	var document map[string]any
	if err := decoder.Decode(&document); err != nil {
		return err
	}
	change(document)
	if data, err = json.Marshal(document); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// writeWrapper writes the program that an engine is told of. An engine may clear the environment.
func writeWrapper(file, name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	text := fmt.Sprintf("#!/bin/sh\n%s='%s' %s=%s exec '%s' \"$@\"\n", wrapperEnv, runtimePath(), wrapperEdit, name, self)
	return os.WriteFile(file, []byte(text), 0o755)
}

// dropResource leaves out what needs CAP_SYS_RESOURCE: an OOM score below 0, and the capability itself.
func dropResource(config map[string]any) {
	process, _ := config["process"].(map[string]any)
	if score, _ := process["oomScoreAdj"].(json.Number); strings.HasPrefix(score.String(), "-") {
		delete(process, "oomScoreAdj")
	}
	sets, _ := process["capabilities"].(map[string]any)
	for name, set := range sets {
		list, _ := set.([]any)
		sets[name] = slices.DeleteFunc(list, func(c any) bool { return c == "CAP_SYS_RESOURCE" })
	}
}
