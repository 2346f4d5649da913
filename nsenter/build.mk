# SPDX-License-Identifier: Apache-2.0
# The init process, and the copier: static C programs that the Go package embeds.
#
# Included by the top Makefile, from the top folder. Build $(INIT_BIN) before any Go code that runs
# containers. GOARCH selects the architecture. Without a C compiler for it nothing is made: the Go
# part still builds, but starting a container fails with an error that there is no init.

GOARCH     ?= $(shell go env GOARCH)
INIT_BIN   := nsenter/init-$(GOARCH).bin nsenter/init-$(GOARCH).copier.bin
INIT_SRC   := $(sort $(wildcard nsenter/init/*.c))
INIT_HDR   := $(wildcard nsenter/init/*.h)
COPIER_SRC := $(sort $(wildcard nsenter/copier/*.c))
COPIER_HDR := $(wildcard nsenter/copier/*.h)

# The compiler for a GOARCH: a cross compiler with its usual name, or the host's own.
# With glibc instead of musl init gets some 30 times larger, but it works.
init_machine_amd64 := x86_64
init_machine_arm64 := aarch64
init_native = $(if $(filter $(init_machine_$(1)),$(shell uname -m)),musl-gcc)
init_cc = $(firstword $(foreach cc,$(INIT_CC) $(init_machine_$(1))-linux-musl-gcc \
	  $(init_native) $(init_machine_$(1))-linux-gnu-gcc,$(shell command -v $(cc))))

INIT_WARN  := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	      -Wconversion -Walloca
ifneq ($(CI),)
INIT_WARN  += -Werror
endif
INIT_CFLAGS  := -std=c11 -D_GNU_SOURCE -Os -fno-asynchronous-unwind-tables -fno-ident \
		-ffunction-sections -fdata-sections -fstack-protector-strong $(INIT_WARN)
INIT_LDFLAGS := -static -s -Wl,--gc-sections -Wl,-z,noexecstack -Wl,-z,relro \
		-Wl,-z,noseparate-code -Wl,--build-id=none

nsenter/init-%.bin: $(INIT_SRC) $(INIT_HDR) nsenter/build.mk
	$(if $(call init_cc,$*),$(call init_cc,$*) $(INIT_CFLAGS) $(INIT_LDFLAGS) -o $@ $(INIT_SRC),\
		@echo "no C compiler for $*: this build will have no init" >&2)

nsenter/init-%.copier.bin: $(COPIER_SRC) $(COPIER_HDR) nsenter/build.mk
	$(if $(call init_cc,$*),$(call init_cc,$*) $(INIT_CFLAGS) $(INIT_LDFLAGS) -o $@ $(COPIER_SRC),\
		@echo "no C compiler for $*: this build will have no copier" >&2)

# Parts of init as ordinary programs, under sanitizers: its parsers, tested with plans that the Go
# side wrote (go test ./nsenter -update), and what reads a file that cannot be executed.
C_TEST     := bin/nsenter-parse-test
C_TEST_SRC := nsenter/ctest/parse_test.c nsenter/init/message.c nsenter/init/text.c
FACTS_TEST     := bin/nsenter-facts-test
FACTS_TEST_SRC := nsenter/ctest/facts_test.c nsenter/init/facts.c nsenter/init/lookup.c

.PHONY: c-test
c-test: $(C_TEST) $(FACTS_TEST)
	$(C_TEST) nsenter/testdata/*.plan
	@rm -rf bin/facts
	@mkdir -p bin/facts
	$(FACTS_TEST) bin/facts

# For FUZZTIME (such as 10s), with libFuzzer if clang has it, and otherwise with more of the test's
# random damage.
CLANG ?= clang
C_FUZZ := bin/nsenter-fuzz
C_FUZZ_SECONDS = $(FUZZTIME:s=)
.PHONY: c-fuzz
c-fuzz: $(C_TEST_SRC) $(INIT_HDR) nsenter/ctest/ctest.h
	@mkdir -p bin .cache/nsenter-corpus
	@if echo 'int LLVMFuzzerTestOneInput(const char *d, long n) { return !d && n; }' | \
		$(CLANG) -x c -fsanitize=fuzzer,address,undefined -o $(C_FUZZ) - 2>/dev/null; then \
		set -ex; \
		$(CLANG) -std=c11 -D_GNU_SOURCE -DLIBFUZZER -g -O1 -fsanitize=fuzzer,address,undefined \
			-fno-sanitize-recover=all -Wno-unused-function -Insenter/init -o $(C_FUZZ) $(C_TEST_SRC); \
		$(C_FUZZ) -max_total_time=$(C_FUZZ_SECONDS) -max_len=65536 -print_final_stats=1 -artifact_prefix=bin/ \
			.cache/nsenter-corpus nsenter/testdata; \
	else \
		set -ex; \
		gcc -std=c11 -D_GNU_SOURCE -DROUNDS=$(C_FUZZ_SECONDS)00000 -g -O1 -fsanitize=address,undefined \
			-fno-sanitize-recover=all $(INIT_WARN) -Werror -Insenter/init -o $(C_FUZZ) $(C_TEST_SRC); \
		$(C_FUZZ) nsenter/testdata/*.plan; \
	fi

$(C_TEST): $(C_TEST_SRC)
$(FACTS_TEST): $(FACTS_TEST_SRC)
$(C_TEST) $(FACTS_TEST): $(INIT_HDR) nsenter/ctest/ctest.h nsenter/build.mk
	@mkdir -p $(@D)
	gcc -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
		$(INIT_WARN) -Werror -Insenter/init -o $@ $(filter %.c,$^)
