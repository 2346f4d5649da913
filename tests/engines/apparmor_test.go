// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"os"
	"slices"
	"strings"
)

// confiner is an engine that confines containers with AppArmor.
type confiner struct {
	// profile is what the name of its own profile begins with.
	profile string
	// try runs its command line.
	try func(t reporter, args ...string) result
	// start starts a container with options, and returns its id.
	start func(t reporter, options []string, args ...string) string
	// runtime are the options that choose the runtime, if it is not the default.
	runtime []string
}

// appArmor confines containers by the engine's profile, by one of the machine, by none, and by one that
// is not there.
func (c *confiner) appArmor(t *T) {
	if _, err := os.Stat("/sys/kernel/security/apparmor/profiles"); err != nil {
		t.Skipf("the kernel has no AppArmor")
	}
	const own = "engines-no-write"
	load := command{args: []string{"apparmor_parser", "--replace"}}
	load.stdin = "profile " + own + " flags=(attach_disconnected) { file, capability, network, signal, ptrace, umount, deny /tmp/** w, }\n"
	load.run(t)
	option := func(profile string) []string { return []string{"--security-opt", "apparmor=" + profile} }
	run := func(options []string, args ...string) result {
		return c.try(t, slices.Concat([]string{"run", "--rm"}, c.runtime, options, []string{"box"}, args)...)
	}
	for _, with := range []struct {
		name    string
		options []string
		label   string
	}{
		{"the engine's", nil, c.profile},
		{"the machine's", option(own), own + " (enforce)"},
		{"none", option("unconfined"), "unconfined"},
	} {
		id := c.start(t, with.options, "sleep", "1000")
		// An exec is confined as the container is.
		for _, process := range []string{"1", "self"} {
			r := c.try(t, "exec", id, "cat", "/proc/"+process+"/attr/current")
			label := strings.TrimSpace(r.out)
			if !strings.HasPrefix(label, with.label) || strings.HasSuffix(label, "(enforce)") == (with.label == "unconfined") {
				t.Errorf("%s: the label of process %s is %q, not %q: %s", with.name, process, label, with.label, r.err)
			}
		}
	}
	// What only the profile forbids.
	if r := run(nil, "touch", "/tmp/file"); r.code != 0 {
		t.Errorf("with the engine's profile: %s", r.err)
	}
	r := run(option(own), "touch", "/tmp/file")
	t.contains("with the machine's profile", r.err, "Permission denied")
	r = run(option("engines-absent"), "true")
	t.contains("with one that is not there", r.err, "engines-absent")
	if r.code == 0 {
		t.Errorf("a container runs with a profile that is not there")
	}
}
