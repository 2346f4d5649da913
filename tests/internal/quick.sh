#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Unit tests and lint of what has changed since a commit (SINCE, default HEAD), or is not in git
# yet: packages with changed Go files, packages that import them, scripts, spelling, and new tests
# of containers in every mode (root).
#
# usage: GOLANGCI=command [SINCE=commit] quick.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
since=${SINCE:-HEAD}
: "${GOLANGCI:?}"

# changed PATTERN prints the changed files that still exist.
changed() {
	{
		git diff --name-only --diff-filter=d "$since" -- "$@"
		git ls-files --others --exclude-standard -- "$@"
	} | sort -u
}

mapfile -t gofiles < <(changed '*.go')
mapfile -t scripts < <(changed | while read -r f; do
	[[ -f $f ]] && head -c 64 "$f" | grep -qE '^#!/(bin|usr/bin)/(env )?(ba)?sh' && echo "$f"
done || true)
mapfile -t all < <(changed)
if ((${#all[@]} == 0)); then
	echo "nothing has changed since $since"
	exit 0
fi

if ((${#gofiles[@]})); then
	# Other modules have their own tests.
	mapfile -t dirs < <(for f in "${gofiles[@]}"; do
		d=$(dirname "$f")
		[[ $(cd "$d" && go env GOMOD) == "$PWD/go.mod" ]] && echo "./$d"
	done | sort -u)
	if ((${#dirs[@]})); then
		changed_packages=$(go list -e -f '{{.ImportPath}}' "${dirs[@]}" | tr '\n' '|')
		# Direct importers may be affected. Others hardly ever are.
		mapfile -t importers < <(go list -e -f '{{.ImportPath}} {{join .Imports " "}} {{join .TestImports " "}}' ./... |
			awk -v c="^(${changed_packages%|})$" '{ for (i = 2; i <= NF; i++) if ($i ~ c) { print $1; break } }')
		mapfile -t packages < <({
			printf '%s\n' "${importers[@]}"
			go list -e "${dirs[@]}"
		} | sed '/^$/d' | sort -u)
		echo "vet and test: ${#packages[@]} packages"
		go vet "${packages[@]}"
		go test "${packages[@]}" ./tests/arrows ./tests/specsupport
		read -ra golangci <<<"$GOLANGCI"
		"${golangci[@]}" run --allow-parallel-runners "${dirs[@]}"
	fi
fi
if ((${#scripts[@]})); then
	shellcheck -x "${scripts[@]}"
fi
codespell --ignore-words=.codespellignore "${all[@]}"

# A new test may pass where it was written, and fail for an ordinary user or on cgroup v1.
new_tests=$({
	git diff -U0 "$since" -- 'tests/integration/*_test.go'
	git ls-files --others --exclude-standard -- 'tests/integration/*_test.go' | xargs -r sed 's/^/+/'
} | sed -nE 's/^\+func (Test[A-Za-z0-9_]+)\(t \*testing\.T\).*/\1/p' | sort -u | paste -sd '|')
if [[ $new_tests ]]; then
	if ((EUID == 0)); then
		make integration TEST="$new_tests"
	else
		echo "not run, as only root can: make integration TEST='$new_tests'"
	fi
fi
