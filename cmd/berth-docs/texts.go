// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
)

// exitStatus has what is to be said about commands that do not just succeed or fail.
var exitStatus = map[string]string{
	"run": `That of the program, or 128 and the number of the signal that ended it; with ` + "`--detach`" + `, 0. 1 if the container could not be created or started.`,
	"exec": `That of the program, or 128 and the number of the signal that ended it; with ` + "`--detach`" + `, 0. 255 if the program could not be
started.`,
	"restore": `That of the program, or 128 and the number of the signal that ended it; with ` + "`--detach`" + `, 0. 1 if the container could not be restored.`,
	"check":   "0 if the config has no error, and 1 if it has one, or a warning with `--strict`.",
	"wait":    `0 if the container has ended, and 1 if that could not be found out. The container's own exit status is printed.`,
	"top":     `0 if the user has quit, 1 if something failed, and 128 and the number of the signal that ended it.`,
}

// environment has the variables that berth reads, with the commands that do at the end of the
// description, if these are not all.
var environment = []entry{
	{"BERTH_TRACE", "The same as `--trace`, which is stronger."},
	{"XDG_RUNTIME_DIR", "For everybody but the host's root, the state of containers is in the directory berth in this one."},
	{"USER", "If it is root, root of a user namespace is treated as root of a host, whose containers are in /run/berth."},
	{"PATH", "Where newuidmap, newgidmap, criu and ps are searched for. A container has its own, from config.json."},
	{"NOTIFY_SOCKET", "The socket of a service manager (sd_notify(3)). The container gets a socket of its own instead, and berth passes its messages on (run, create, start)."},
	{"LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES", "Sockets of socket activation (sd_listen_fds(3)), which are passed to the program (run, create, exec)."},
	{"NO_COLOR", "If it is set, nothing is coloured (trace, top)."},
	{"TERM", "The kind of the terminal (trace, top)."},
	{"DBUS_SESSION_BUS_ADDRESS, DBUS_SYSTEM_BUS_ADDRESS", "Where systemd is reached with `--systemd-cgroup` (create, run, restore, update)."},
}

// environmentOf returns the variables that a command names itself.
func environmentOf(name string) []entry {
	var own []entry
	for _, e := range environment {
		about, commands, ok := strings.Cut(strings.TrimSuffix(e.about, ")."), " (")
		if !ok {
			continue
		}
		// The last bracket has the commands.
		if i := strings.LastIndex(e.about, " ("); i >= 0 {
			about, commands = e.about[:i], strings.TrimSuffix(e.about[i+2:], ").")
		}
		if slices.Contains(strings.Split(commands, ", "), name) {
			own = append(own, entry{e.tag, about + "."})
		}
	}
	return own
}

var files = []entry{
	{"/run/berth", "The state of containers, a directory for each. Everything is lost with a reboot, as containers are. An ordinary user's is `$XDG_RUNTIME_DIR/berth` or `/run/user/UID/berth`. `--root` names another."},
	{"/run/berth/ID/state.json", "What berth must know about a container: its first process, its cgroups, the hooks that are still to be run. It is no interface: `berth state` prints what is for others."},
	{"/run/berth/ID/exec.fifo", "Exists as long as the container has been created and not started."},
	{"config.json", "Describes the container, in the directory of the bundle: see berth-bundle(5)."},
	{"/etc/criu/berth.conf, /etc/criu/runc.conf", "Options for criu; the first one that exists is used."},
	{"../libexec/berth/berth-top", "Shows the table of `berth top` on a terminal. The path is relative to that of berth, and berth's own directory comes first."},
}

// related returns the pages that a reader of a command's page may want next.
func related(name string) []string {
	pages := map[string][]string{
		"create": {"berth-start", "berth-run", "berth-delete"}, "start": {"berth-create", "berth-state"}, "run": {"berth-create", "berth-exec", "berth-spec"},
		"exec": {"berth-run", "berth-ps"}, "kill": {"berth-delete", "berth-wait"}, "delete": {"berth-kill", "berth-list"}, "wait": {"berth-kill"},
		"pause": {"berth-resume"}, "resume": {"berth-pause"}, "update": {"berth-events", "berth-top"}, "mounts": {"berth-exec"},
		"ps": {"berth-top"}, "events": {"berth-top"}, "top": {"berth-events", "berth-ps"}, "checkpoint": {"berth-restore"}, "restore": {"berth-checkpoint"},
		"list": {"berth-state"}, "state": {"berth-list"}, "spec": {"berth-run", "berth-check"},
		"check": {"berth-doctor", "berth-spec"}, "inspect": {"berth-state", "berth-check"}, "doctor": {"berth-check", "berth-features"}, "features": {"berth-doctor"}, "trace": {"berth-top"},
	}
	var list []string
	for _, page := range pages[name] {
		list = append(list, page+"(8)")
	}
	if slices.Contains([]string{"create", "run", "spec", "exec", "restore", "update", "mounts", "features", "check"}, name) {
		list = append(list, "berth-bundle(5)")
	}
	switch name {
	case "checkpoint", "restore":
		list = append(list, "criu(8)")
	case "ps":
		list = append(list, "ps(1)")
	}
	return list
}
