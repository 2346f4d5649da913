# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# cached NAME MAKE [ARG...] sets dir to a directory below $BERTH_TEST_CACHE
# (/var/cache/berth-tests) that `MAKE [ARG...] DIR` has filled, now or earlier. The calling
# script is part of its name, so that a changed recipe makes a new one; so are this one, and
# the files in the array recipe. It is not there before it is complete, and one that has changed since
# is made again: DIR.files lists what it had.
cached() {
	local cache=${BERTH_TEST_CACHE:-/var/cache/berth-tests} name=$1
	shift
	dir=$cache/$name-$(cat "${BASH_SOURCE[@]:0:2}" "${recipe[@]}" | sha256sum | cut -c1-12)
	fill_cache "$cache" "$@"
}

# Other files that decide what is made.
recipe=()
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/caller.sh"
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"

# cached_variant SUFFIX MAKE [ARG...] is the same for what is made from another, whose
# directory is in dir.
cached_variant() {
	dir=$dir-$1
	fill_cache "${dir%/*}" "${@:2}"
}

# list_files DIRECTORY prints what shows that somebody has changed it: everything but the
# contents, and the times of directories, which mounting in one may change.
list_files() {
	(cd "$1" && find . \( -type f -printf '%p %m %U:%G %s %T@\n' -o -printf '%p %m %U:%G %y %l\n' \) | LC_ALL=C sort)
}

# whole says that dir is as it was made.
whole() {
	[[ -d $dir && -f $dir.files ]] && list_files "$dir" | cmp --silent - "$dir.files"
}

# fill_cache CACHE MAKE [ARG...] makes dir, if it is not there as it should be.
fill_cache() {
	local cache=$1 lock
	shift
	mkdir -p "$cache"
	exec {lock}>"$cache/lock"
	flock "$lock"
	if ! whole; then
		if [[ -e $dir ]]; then
			echo "$dir has changed since it was made, and is made again" >&2
			rm -rf --one-file-system "$dir"
		fi
		make_in_cache "$cache" "$@"
	fi
	exec {lock}>&-
}

# make_in_cache CACHE MAKE [ARG...] makes dir.
make_in_cache() {
	# Not in a condition, which would have the shell go on after what fails.
	(
		tmp=$(mktemp -d "$1/.making.XXXXXX")
		trap 'rm -rf --one-file-system "$tmp"' EXIT
		"${@:2}" "$tmp" 2>&1 | progress -label "making ${dir##*/}" >&2
		chmod 755 "$tmp"
		list_files "$tmp" >"$dir.files"
		mv "$tmp" "$dir"
	)
}
