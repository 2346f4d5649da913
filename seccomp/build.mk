# SPDX-License-Identifier: Apache-2.0
#
# The filter compiler that package seccomp embeds. It is static, since it runs
# wherever berth runs, and glibc's, since distributions build libseccomp.a
# against that. Needs a C compiler, pkg-config and libseccomp's headers and static
# library (Debian: libseccomp-dev); a build without them is `-tags noseccomp`.
#
# For another machine: make GOARCH=arm64 SECCOMP_CC=aarch64-linux-gnu-gcc
# PKG_CONFIG_PATH=…, with that machine's libseccomp.a.

GO ?= go
GOARCH ?= $(shell $(GO) env GOARCH)
SECCOMP_CC ?= $(CC)
SECCOMP_BIN := seccomp/compiler-$(GOARCH).bin
# Not beside the result, where a leftover would be embedded.
SECCOMP_TMP := .cache/seccomp-compiler-$(GOARCH)
SECCOMP_SRC := go.mod go.sum $(wildcard seccomp/compiler/*.go seccomp/compiler/pack/*.go \
	seccomp/internal/wire/*.go seccomp/internal/prologue/*.go seccomp/internal/packed/*.go)

$(SECCOMP_BIN): $(SECCOMP_SRC) seccomp/build.mk
	@mkdir -p .cache
	CGO_ENABLED=1 GOARCH=$(GOARCH) CC="$(SECCOMP_CC)" $(GO) build -trimpath -buildvcs=false \
		-tags osusergo,netgo -ldflags '-s -w -buildid= -linkmode external -extldflags "-static -Wl,--build-id=none"' \
		-o $(SECCOMP_TMP) ./seccomp/compiler
	GOARCH= GOOS= CGO_ENABLED=0 $(GO) run ./seccomp/compiler/pack $(SECCOMP_TMP) $(SECCOMP_TMP).packed
	@mv $(SECCOMP_TMP).packed $@ && rm $(SECCOMP_TMP)
