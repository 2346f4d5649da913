# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets.

GO      ?= go
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
BIN     ?= bin/berth
# What `berth top` runs on a terminal; it looks for this name.
TOP     ?= $(dir $(BIN))berth-top
# Go's older collector, where Go still has it: the newer one's mark bits are at the end of each
# span, one more page to touch. Without them a command has 25 to 35 page faults less of some 300
# (a `run` of 447), and takes 0.05 to 0.1 ms less of its 2 (`create` 0.4 of 5.3): medians of 80
# interleaved runs. A build without this works all the same.
export GOEXPERIMENT := $(or $(GOEXPERIMENT),$(shell GOEXPERIMENT=nogreenteagc $(GO) env GOEXPERIMENT 2>/dev/null))
# Build tags; berth has none of its own.
GOTAGS  ?=
COMMIT  ?= $(shell git describe --always --dirty --abbrev=40 2>/dev/null)

# The date of the manual pages and of packages.
EPOCH   ?= $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null))

# Found in the module cache after the first run; `go run` keeps the built tools.
GOLANGCI := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# The race detector needs a C compiler, which deps may only now have installed.
RACE = $(if $(shell command -v gcc),-race)

# cron's and some users' has none of what is root's.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.DEFAULT_GOAL := all

-include nsenter/build.mk

# What the Go build embeds.
EMBEDDED := $(INIT_BIN)
# Modules beside the main one.
MODULES  := $(patsubst %/go.mod,%,$(wildcard tests/*/go.mod))
SCRIPTS  := $(shell grep -rlIE '^\#!/bin/(ba)?sh|^\#!/usr/bin/env bash' .ci tests --exclude-dir=_build 2>/dev/null)
C_FILES  := $(wildcard nsenter/*/*.[ch] tests/*/*/*.[ch])

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: all
all: deps-build build ## build bin/berth, installing the few build dependencies when missing

.PHONY: build
build: $(EMBEDDED) ## build bin/berth and bin/berth-top with what is installed
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -tags '$(GOTAGS)' \
		-ldflags '-s -w -X main.commit=$(COMMIT)' -o $(BIN) ./cmd/berth
	@# The linker writes through a mapping, and so the page cache has the file in single
	@# pages. Like what is installed, a copy is there in larger pieces, and starts 0.1 to
	@# 0.2 ms faster.
	@cp $(BIN) $(BIN).copy && mv $(BIN).copy $(BIN)
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w' -o $(TOP) ./cmd/berth-top

.PHONY: static
static: all ## build bin/berth and check that it is static (it always should be)
	@! readelf --program-headers $(BIN) | grep INTERP
	@echo "$(BIN) is static"

.PHONY: cross-arm64 test-arm64
cross-arm64: ## build bin/berth-arm64; without a cross compiler only its Go part
	$(MAKE) GOARCH=arm64 BIN=bin/berth-arm64 TOP=bin/berth-top-arm64 build

# What has assembly, and what handles bytes. Containers, new system calls, programs that run
# themselves and the signals that it needs itself are beyond an emulator of programs.
ARM64_TESTS := ./libcontainer/internal/osthread ./libcontainer/signals \
	       ./libcontainer/codec/... ./seccomp/... ./specconv/internal/...
# Debian's newer releases have the static one by the other's name.
QEMU_ARM64 = $(firstword $(foreach name,qemu-aarch64-static qemu-aarch64,$(shell command -v $(name))))
test-arm64: ## build bin/berth-arm64 with its init, and test under an emulator what can be
	@.ci/deps cross
	rm -f nsenter/init-arm64.bin
	$(MAKE) cross-arm64
	readelf --file-header nsenter/init-arm64.bin | grep AArch64
	$(QEMU_ARM64) bin/berth-arm64 --version
	GOARCH=arm64 CGO_ENABLED=0 $(GO) test -exec $(QEMU_ARM64) \
		-skip 'TestCatchEverything|TestFaultsStayGos|TestLoad|TestTables|TestFilterFlags|TestHaveFlags|TestCompileNotify' $(ARM64_TESTS)

.PHONY: deps deps-build deps-test deps-all
deps: ## install what building and testing need (Debian, Ubuntu), or name it
	@.ci/deps build test
deps-build:
	@.ci/deps build
deps-test:
	@.ci/deps test
deps-all: ## install what all targets need
	@.ci/deps bench build cross demo differential dist engines fresh kubernetes lint stack test unit vm
	@# What it has installed is what it looks for.
	@test -z "$$(.ci/deps bench build cross demo differential dist engines fresh kubernetes lint stack test unit vm)"

# Says how far long work is.
PROGRESS := bin/progress
$(PROGRESS): $(wildcard tests/internal/progress/*.go)
	CGO_ENABLED=0 $(GO) build -o $@ ./tests/internal/progress

.PHONY: test
test: deps all lint unit integration conformance counts ## build, and run every check and test there is (root)

.PHONY: unit
unit: $(EMBEDDED) $(if $(C_TEST),c-test) $(PROGRESS) ## run the tests beside the code
	@.ci/deps unit
	$(PROGRESS) -label 'unit tests' $(GO) test $(RACE) ./...
	@set -e; for m in $(MODULES); do (set -x; cd $$m && $(GO) test ./...); done

.PHONY: quick
quick: $(EMBEDDED) ## unit tests and lint of what has changed since the commit SINCE (HEAD)
	@.ci/deps lint
	@GOLANGCI='$(GOLANGCI)' SINCE='$(SINCE)' tests/internal/quick.sh

TEST ?= .
ONLY_TEST = $(if $(filter-out .,$(TEST)),-test.run '^($(TEST))$$')
MODE ?= v2
ROOT ?= busybox
.PHONY: one
one: build deps-test ## one test with real containers: TEST=TestName, MODE=v1|v2, ROOT=busybox|debian (root)
	RUNTIME='$(abspath $(BIN))' ROOTS='$(ROOT)' MODES='$(MODE)' VERBOSE=1 tests/integration/run -test.run '^$(TEST)$$'

# How long each target is fuzzed, in seconds.
FUZZTIME ?= 10s
.PHONY: fuzz
fuzz: $(EMBEDDED) c-fuzz ## fuzz every parser, FUZZTIME (10s) each; ONLY="folder FuzzName" chooses
	FUZZTIME=$(FUZZTIME) ONLY='$(ONLY)' tests/fuzz/run

.PHONY: integration
integration: build deps-test ## run real containers (root); TEST="TestA|TestB" only these, in every mode
	RUNTIME='$(abspath $(BIN))' ROOTS=busybox tests/integration/run $(ONLY_TEST)
	@# criu and the kernel's network do not look at the root file system, and take their time.
	RUNTIME='$(abspath $(BIN))' ROOTS=debian tests/integration/run -test.skip 'Checkpoint|Restore|Network' $(ONLY_TEST)
	RUNTIME='$(abspath $(BIN))' USERS="userns rootless inside" ROOTS=busybox MODES=v2 tests/integration/run $(ONLY_TEST)
	RUNTIME='$(abspath $(BIN))' USERS="rootless delegated" ROOTS=busybox MODES=v1 tests/integration/run $(ONLY_TEST)

.PHONY: conformance
conformance: build deps-test ## run the OCI runtime-tools validation suite (root)
	RUNTIME='$(abspath $(BIN))' tests/conformance/run

.PHONY: vm
vm: build ## run the batches of tests/vm in virtual machines (root); BATCHES="name..." chooses
	@.ci/deps cross vm
	$(MAKE) cross-arm64
	RUNTIME='$(abspath $(BIN))' tests/vm/run $(BATCHES)

.PHONY: attack
attack: build deps-test ## try to get out of containers, of an older berth (where it works) and this one (root)
	RUNTIME='$(abspath $(BIN))' tests/attack/run

.PHONY: differential
differential: build ## compare with runc and crun of Debian's next release, on made-up configs and command lines (root); N, SEED, CASE
	@.ci/deps differential
	RUNTIME='$(abspath $(BIN))' N=$(N) SEED=$(SEED) CASE=$(CASE) tests/differential/run

.PHONY: engines
engines: build ## run the engines of tests/engines in rooms of several Debian releases (root); ENGINES="docker..." chooses, SMOKE=1
	@.ci/deps engines
	RUNTIME='$(abspath $(BIN))' SMOKE='$(SMOKE)' tests/engines/run $(ENGINES)

.PHONY: engines-kubernetes
engines-kubernetes: build ## run a Kubernetes of two nodes, and pods with berth and with runc (root, cgroup v1); RUNTIMES="name=path...", VM=v2
	@.ci/deps engines kubernetes stack $(if $(VM),vm)
	RUNTIMES='$(RUNTIMES)' tests/engines/kubernetes/run -test.v

.PHONY: soak
soak: build deps-test ## thousands of commands at random, some killed, and a look at what is left (root); N, SEED
	RUNTIME='$(abspath $(BIN))' N=$(N) SEED=$(SEED) tests/soak/run

.PHONY: bench
bench: build ## compare the speed with crun and runc, installing them (root); CRUN and RUNC choose others, JSON=file keeps
	@.ci/deps bench build
	RUNTIME='$(abspath $(BIN))' tests/bench/run $(if $(JSON),-json '$(abspath $(JSON))')

.PHONY: counts
counts: build deps-test ## system calls, threads, context switches and page faults, against bounds (root)
	tests/bench/run -bounds tests/bench/bounds '$(abspath $(BIN))'

.PHONY: bench-docs
bench-docs: ## put the results in tests/bench/results into README.md and docs/performance.md
	tests/bench/documents

.PHONY: demo
demo: all ## run a real container and show what happens (root)
	@.ci/deps demo
	@BERTH='$(abspath $(BIN))' tests/demo/run

.PHONY: demo-stack
demo-stack: all ## run nginx, applications and PostgreSQL on a bridge, and test them (root)
	@.ci/deps stack
	@BERTH='$(abspath $(BIN))' tests/e2e/run

.PHONY: fresh
fresh: ## run demo and test on fresh machines of three Debian releases (root); ALL=1 for each on each
	@.ci/deps fresh
	ALL='$(ALL)' tests/fresh/run

.PHONY: docs-test
docs-test: build ## run the commands of the documents in fresh machines (root); DOCS="file..." chooses
	@.ci/deps fresh
	RUNTIME=$(abspath $(BIN)) tests/docs/run $(DOCS)

# Another clone on this machine may be linted at the same time.
LINT_FLAGS := --allow-parallel-runners

.PHONY: lint
lint: $(EMBEDDED) $(PROGRESS) ## check style and common mistakes
	@.ci/deps lint
	$(GO) mod tidy -diff
	$(PROGRESS) -label 'go vet' $(GO) vet ./...
	@# The first time, the program itself is built, which takes minutes.
	$(PROGRESS) -label golangci-lint $(GOLANGCI) run $(LINT_FLAGS) ./...
	@set -e; for m in $(MODULES); do \
		(set -x; cd $$m && ../../$(PROGRESS) -label "golangci-lint, $$m" $(GOLANGCI) run $(LINT_FLAGS) --config ../../.golangci.yml ./...); done
	shellcheck $(SCRIPTS)
	codespell --skip='.git,bin,.cache,_build,*.bin,go.sum,LICENSE,NOTICE' --ignore-words=.codespellignore
ifneq ($(C_FILES),)
	clang-format --dry-run --Werror $(C_FILES)
endif

.PHONY: fmt
fmt: ## format Go and C
	@.ci/deps lint
	$(GOLANGCI) fmt ./...
ifneq ($(C_FILES),)
	clang-format -i $(C_FILES)
endif

.PHONY: man
man: $(EMBEDDED) ## write the manual pages and completions to bin/man and bin/completion
	@rm -rf bin/man bin/completion
	@mkdir -p bin/man bin/completion
	GOARCH= SOURCE_DATE_EPOCH='$(EPOCH)' $(GO) run -tags '$(GOTAGS)' ./cmd/berth-docs man bin/man
	cp cmd/internal/scripts/berth.bash bin/completion/berth
	cp cmd/internal/scripts/berth.zsh bin/completion/_berth
	cp cmd/internal/scripts/berth.fish bin/completion/berth.fish

# FILE:MODE:TARGET of each, for .ci/install; evaluated when man has been made.
INSTALLED = $(BIN):755:$(BINDIR)/berth $(TOP):755:$(PREFIX)/libexec/berth/berth-top \
	LICENSE:644:$(PREFIX)/share/doc/berth/LICENSE NOTICE:644:$(PREFIX)/share/doc/berth/NOTICE \
	$(foreach page,$(shell echo bin/man/*.8),$(page):644:$(MANDIR)/man8/$(notdir $(page))) \
	bin/man/berth-bundle.5:644:$(MANDIR)/man5/berth-bundle.5 \
	bin/completion/berth:644:$(PREFIX)/share/bash-completion/completions/berth \
	bin/completion/_berth:644:$(PREFIX)/share/zsh/site-functions/_berth \
	bin/completion/berth.fish:644:$(PREFIX)/share/fish/vendor_completions.d/berth.fish

.PHONY: install uninstall
install: deps-build build man ## install into DESTDIR and PREFIX (/usr/local)
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' .ci/install install $(INSTALLED)
	@echo "installed: $(DESTDIR)$(BINDIR)/berth, its manual pages and completions"

uninstall: ## remove what install has put into DESTDIR and PREFIX
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' .ci/install uninstall

.PHONY: dist dist-test
dist: ## make packages (deb, rpm), archives, a bill of materials and checksums in bin/dist
	@.ci/deps build cross
	.ci/dist/build bin/dist

dist-test: ## build the packages twice, compare, and install them on fresh machines (root)
	@.ci/deps build cross dist fresh
	tests/dist/run

.PHONY: clean clean-cache
clean: ## remove what was built
	rm -rf bin .cache tests/*/_build nsenter/ctest/*.o
	rm -f nsenter/init-*.bin

clean-cache: ## remove what the tests keep outside of this tree (in /var/cache/berth-tests)
	@tests/internal/clean-cache
