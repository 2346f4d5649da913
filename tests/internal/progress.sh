# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# progress [FLAGS] [COMMAND...] is the program ./progress: it runs a command, or copies its stdin,
# and reports the progress. Without Go to build it, the command runs without reports.
progress() {
	local progress_dir progress_tool # a COMMAND that is a function can see these variables
	progress_dir=$(dirname "${BASH_SOURCE[0]}")
	progress_tool=$progress_dir/_build/progress
	if command -v go >/dev/null && [[ $(find "$progress_dir"/progress/*.go -newer "$progress_tool" 2>&1) ]]; then
		(cd "$progress_dir/progress" && CGO_ENABLED=0 go build -o ../_build/progress .) || true
	fi
	if [[ -x $progress_tool ]]; then
		"$progress_tool" "$@"
		return
	fi
	while [[ ${1:-} == -* ]]; do
		[[ $1 == -gotest ]] || shift
		shift
	done
	if (($#)); then "$@"; else cat; fi
}

# step DONE TOTAL WHAT reports the progress of a script, if progress reads it.
step() {
	[[ ! ${BERTH_PROGRESS:-} ]] || echo "@progress $*"
}
