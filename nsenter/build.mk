# SPDX-License-Identifier: Apache-2.0
# The init process: a static C program that the Go package embeds.
#
# Included by the top Makefile, from the top folder; depend on $(INIT_BIN) before building Go.
# GOARCH picks the architecture. Without a C compiler for it the file is made empty: the Go part
# then still builds, and says when asked to start a container that it has no init.

GOARCH     ?= $(shell go env GOARCH)
INIT_BIN   := nsenter/init-$(GOARCH).bin
INIT_SRC   := $(sort $(wildcard nsenter/init/*.c))
INIT_HDR   := $(wildcard nsenter/init/*.h)
INIT_CC_amd64 ?= $(firstword $(shell command -v x86_64-linux-musl-gcc musl-gcc))
INIT_CC_arm64 ?= $(firstword $(shell command -v aarch64-linux-musl-gcc aarch64-linux-gnu-gcc))
INIT_CC    ?= $(if $(filter $(GOARCH),$(shell go env GOHOSTARCH)),$(firstword $(shell \
	      command -v musl-gcc) $(INIT_CC_$(GOARCH))),$(INIT_CC_$(GOARCH)))

INIT_WARN  := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	      -Wconversion -Walloca
ifneq ($(CI),)
INIT_WARN  += -Werror
endif
INIT_CFLAGS  := -std=c11 -D_GNU_SOURCE -Os -fno-asynchronous-unwind-tables -fno-ident \
		-ffunction-sections -fdata-sections -fstack-protector-strong $(INIT_WARN)
INIT_LDFLAGS := -static -s -Wl,--gc-sections -Wl,-z,noexecstack -Wl,-z,relro \
		-Wl,-z,noseparate-code -Wl,--build-id=none

ifeq ($(INIT_CC),)
$(INIT_BIN):
	@echo "no C compiler for $(GOARCH): building without init" >&2
	@: > $@
else
$(INIT_BIN): $(INIT_SRC) $(INIT_HDR) nsenter/build.mk
	$(INIT_CC) $(INIT_CFLAGS) $(INIT_LDFLAGS) -o $@ $(INIT_SRC)
endif

# The parsers of init as an ordinary program, under sanitizers, fed with plans that the Go side made
# (go test ./nsenter -update writes them).
C_TEST     := bin/nsenter-parse-test
C_TEST_SRC := nsenter/ctest/parse_test.c nsenter/init/message.c nsenter/init/text.c

.PHONY: c-test
c-test: $(C_TEST)
	$(C_TEST) nsenter/testdata/*.plan

$(C_TEST): $(C_TEST_SRC) $(INIT_HDR) nsenter/build.mk
	@mkdir -p $(@D)
	gcc -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
		$(INIT_WARN) -Werror -Insenter/init -o $@ $(C_TEST_SRC)
