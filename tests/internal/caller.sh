# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What a test's script takes over from whoever calls it is made here what tests expect: they
# are to pass from a login, by cron, and below a directory that only root can enter.

umask 022
export LC_ALL=C
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# Go keeps its cache below it, and systemd sets none for root.
if [[ ! ${HOME:-} ]]; then
	HOME=$(getent passwd "$(id -u)" | cut -d: -f6) || HOME=/
	export HOME
fi
unset CDPATH

# reachable DIRECTORY says whether an ordinary user can enter it.
reachable() {
	setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$1/."
}

# reachable_temporary sets TMPDIR to one that ordinary users can reach: containers of theirs
# are made there, and those whose root is one of theirs.
reachable_temporary() {
	local dir
	for dir in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
		if [[ $dir == /* ]] && reachable "$dir"; then
			export TMPDIR=$dir
			return
		fi
	done
	echo "${0##*/}: no directory for temporary files can be reached by an ordinary user" >&2
	return 1
}

# stage PROGRAM... copies programs to $staged, a new directory, which is removed at the end
# of the script. They keep their names, and there ordinary users can run them.
stage() {
	reachable_temporary
	staged=$(mktemp -d "$TMPDIR/berth-staged.XXXXXX")
	trap 'rm -rf --one-file-system "$staged"' EXIT
	cp "$@" "$staged/"
	chmod -R a+rX "$staged"
}
