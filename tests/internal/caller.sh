# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# This replaces what a test's script inherits from its caller by what tests expect. They must pass
# from a login, from cron, and below a directory that only root can enter.

umask 022
export LC_ALL=C
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# Go keeps its cache below HOME, which systemd does not set for root.
if [[ ! ${HOME:-} ]]; then
	HOME=$(getent passwd "$(id -u)" | cut -d: -f6) || HOME=/
	export HOME
fi
unset CDPATH

# reachable DIRECTORY succeeds if an ordinary user can enter it.
reachable() {
	setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$1/."
}

# reachable_temporary sets TMPDIR to a directory that ordinary users can reach, because their
# containers are created there, and those with a user namespace.
reachable_temporary() {
	local dir
	for dir in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
		if [[ $dir == /* ]] && reachable "$dir"; then
			export TMPDIR=$dir
			return
		fi
	done
	echo "${0##*/}: ordinary users can reach no directory for temporary files" >&2
	return 1
}

# stage PROGRAM... copies programs to $staged, a new directory that is removed at the end of the
# script. They keep their names, and ordinary users can run them there.
stage() {
	reachable_temporary
	staged=$(mktemp -d "$TMPDIR/berth-staged.XXXXXX")
	trap 'rm -rf --one-file-system "$staged"' EXIT
	cp "$@" "$staged/"
	chmod -R a+rX "$staged"
}
