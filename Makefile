# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets.

GO      ?= go
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
BIN     ?= bin/berth
# Build tags; berth has none of its own.
GOTAGS  ?=
COMMIT  ?= $(shell git describe --always --dirty --abbrev=40 2>/dev/null)

# Found in the module cache after the first run; `go run` keeps the built tools.
GOLANGCI := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# The race detector needs a C compiler.
RACE := $(if $(shell command -v gcc),-race)

.DEFAULT_GOAL := all

-include nsenter/build.mk

# What the Go build embeds.
EMBEDDED := $(INIT_BIN)
# Modules beside the main one.
MODULES  := $(patsubst %/go.mod,%,$(wildcard tests/*/go.mod))
SCRIPTS  := $(shell grep -rlIE '^\#!/bin/(ba)?sh|^\#!/usr/bin/env bash' .ci tests --exclude-dir=_build 2>/dev/null)
C_FILES  := $(wildcard nsenter/*/*.[ch])

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: all
all: deps-build build ## build bin/berth, installing the few build dependencies when missing

.PHONY: build
build: $(EMBEDDED) ## build bin/berth with what is installed
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -tags '$(GOTAGS)' \
		-ldflags '-s -w -X main.commit=$(COMMIT)' -o $(BIN) ./cmd/berth
	@# The linker writes through a mapping, and so the page cache has the file in single
	@# pages. Like what is installed, a copy is there in larger pieces, and starts 0.1 to
	@# 0.2 ms faster.
	@cp $(BIN) $(BIN).copy && mv $(BIN).copy $(BIN)

.PHONY: static
static: all ## build bin/berth and check that it is static (it always should be)
	@! readelf --program-headers $(BIN) | grep INTERP
	@echo "$(BIN) is static"

.PHONY: cross-arm64 test-arm64
cross-arm64: ## build bin/berth-arm64; without a cross compiler only its Go part
	$(MAKE) GOARCH=arm64 BIN=bin/berth-arm64 build

# What has assembly, and what handles bytes. Containers, new system calls, programs that run
# themselves and the signals that it needs itself are beyond an emulator of programs.
ARM64_TESTS := ./cmd/internal/ere ./libcontainer/internal/osthread ./libcontainer/signals ./libcontainer/stack \
	       ./seccomp/... ./specconv/internal/...
test-arm64: ## build bin/berth-arm64 with its init, and test under an emulator what can be
	@.ci/deps cross
	rm -f nsenter/init-arm64.bin
	$(MAKE) cross-arm64
	readelf --file-header nsenter/init-arm64.bin | grep AArch64
	qemu-aarch64-static bin/berth-arm64 --version
	GOARCH=arm64 CGO_ENABLED=0 $(GO) test -exec qemu-aarch64-static \
		-skip 'TestCatchEverything|TestFaultsStayGos|TestLoad|TestTables|TestFilterFlags|TestHaveFlags|TestCompileNotify' $(ARM64_TESTS)

.PHONY: deps deps-build
deps: ## install what building and testing need (Debian, Ubuntu), or name it
	@.ci/deps build test
deps-build:
	@.ci/deps build

.PHONY: test
test: deps all lint unit integration conformance ## build, and run every check and test there is (root)

.PHONY: unit
unit: $(EMBEDDED) $(if $(C_TEST),c-test) ## run the tests beside the code
	$(GO) test $(RACE) ./...
	@set -e; for m in $(MODULES); do (set -x; cd $$m && $(GO) test ./...); done

# How long each target is fuzzed, in seconds.
FUZZTIME ?= 10s
.PHONY: fuzz
fuzz: $(EMBEDDED) c-fuzz ## fuzz every parser, FUZZTIME (10s) each; ONLY="folder FuzzName" chooses
	FUZZTIME=$(FUZZTIME) ONLY='$(ONLY)' tests/fuzz/run

.PHONY: integration
integration: build ## run real containers (root)
	RUNTIME=$(abspath $(BIN)) ROOTS=busybox tests/integration/run
	@# criu and the kernel's network do not look at the root file system, and take their time.
	RUNTIME=$(abspath $(BIN)) ROOTS=debian tests/integration/run -test.skip 'Checkpoint|Restore|Network'
	RUNTIME=$(abspath $(BIN)) USERS="userns rootless inside" ROOTS=busybox MODES=v2 tests/integration/run
	RUNTIME=$(abspath $(BIN)) USERS=rootless ROOTS=busybox MODES=v1 tests/integration/run

.PHONY: conformance
conformance: build ## run the OCI runtime-tools validation suite (root)
	RUNTIME=$(abspath $(BIN)) tests/conformance/run

.PHONY: vm
vm: build ## run the batches of tests/vm in virtual machines (root); BATCHES="name..." chooses
	@.ci/deps vm
	RUNTIME=$(abspath $(BIN)) tests/vm/run $(BATCHES)

.PHONY: attack
attack: build ## try to get out of containers, of an older berth (where it works) and this one (root)
	RUNTIME=$(abspath $(BIN)) tests/attack/run

.PHONY: soak
soak: build ## thousands of commands at random, some killed, and a look at what is left (root); N, SEED
	RUNTIME=$(abspath $(BIN)) N=$(N) SEED=$(SEED) tests/soak/run

.PHONY: bench
bench: build ## compare the speed with crun and runc (root)
	RUNTIME=$(abspath $(BIN)) tests/bench/run

.PHONY: demo
demo: all ## run a real container and show what happens (root)
	@.ci/deps demo
	@BERTH=$(abspath $(BIN)) tests/demo/run

.PHONY: demo-stack
demo-stack: all ## run nginx, applications and PostgreSQL on a bridge, and test them (root)
	@.ci/deps stack
	@BERTH=$(abspath $(BIN)) tests/e2e/run

.PHONY: lint
lint: $(EMBEDDED) ## check style and common mistakes
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GOLANGCI) run ./...
	@set -e; for m in $(MODULES); do (set -x; cd $$m && $(GOLANGCI) run --config ../../.golangci.yml ./...); done
	shellcheck $(SCRIPTS)
	codespell --skip='.git,bin,.cache,_build,*.bin,go.sum,LICENSE,NOTICE' --ignore-words=.codespellignore
ifneq ($(C_FILES),)
	clang-format --dry-run --Werror $(C_FILES)
endif

.PHONY: fmt
fmt: ## format Go and C
	$(GOLANGCI) fmt ./...
ifneq ($(C_FILES),)
	clang-format -i $(C_FILES)
endif

.PHONY: man
man: build ## write the manual pages and completions to bin/man and bin/completion
	@mkdir -p bin/man bin/completion
	$(GO) run -tags '$(GOTAGS)' ./cmd/berth-docs man bin/man
	$(BIN) completion bash >bin/completion/berth
	$(BIN) completion zsh >bin/completion/_berth
	$(BIN) completion fish >bin/completion/berth.fish

# Engines may call it meanwhile, and so the new one takes the place of the old one in one
# step: install(1) would first remove that.
.PHONY: install-bin
install-bin: man
	install -D -m 755 $(BIN) $(DESTDIR)$(BINDIR)/.berth.new
	mv -f $(DESTDIR)$(BINDIR)/.berth.new $(DESTDIR)$(BINDIR)/berth

.PHONY: install
install: deps-build install-bin ## install into DESTDIR and PREFIX (/usr/local)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/berth LICENSE NOTICE
	install -d $(DESTDIR)$(MANDIR)/man8
	install -m 644 bin/man/*.8 $(DESTDIR)$(MANDIR)/man8
	install -D -m 644 bin/completion/berth $(DESTDIR)$(PREFIX)/share/bash-completion/completions/berth
	install -D -m 644 bin/completion/_berth $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_berth
	install -D -m 644 bin/completion/berth.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/berth.fish

.PHONY: clean
clean: ## remove what was built
	rm -rf bin .cache tests/*/_build nsenter/ctest/*.o
	rm -f nsenter/init-*.bin
