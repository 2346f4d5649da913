# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# cached NAME MAKE [ARG...] sets dir to a directory below $BERTH_TEST_CACHE
# (/var/cache/berth-tests) that `MAKE [ARG...] DIR` has filled, now or earlier. The calling
# script is part of its name, so that a changed recipe makes a new one; and it is not there
# before it is complete.
cached() {
	local cache=${BERTH_TEST_CACHE:-/var/cache/berth-tests} name=$1
	shift
	dir=$cache/$name-$(sha256sum "${BASH_SOURCE[1]}" | cut -c1-12)
	fill_cache "$cache" "$@"
}

# cached_variant SUFFIX MAKE [ARG...] is the same for what is made from another, whose
# directory is in dir.
cached_variant() {
	dir=$dir-$1
	fill_cache "${dir%/*}" "${@:2}"
}

fill_cache() {
	local cache=$1 tmp
	shift
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9
	if [[ ! -d $dir ]]; then
		tmp=$(mktemp -d "$cache/.making.XXXXXX")
		# shellcheck disable=SC2064 # the name of now
		trap "rm -rf --one-file-system '$tmp'" EXIT
		"$@" "$tmp"
		chmod 755 "$tmp"
		mv "$tmp" "$dir"
	fi
	exec 9>&-
}
