# Roofline suite. `make help` says what there is; every list of files below is read from the tree.
#
#   build/$(CONFIG)/              objects of one compiler and one set of flags
#   build/$(CONFIG)/avx2-f32/     ISA bodies: the same sources once per instruction set and format
#
# Nothing that `make deps` installs is looked at while make parses: `make deps bench` is one run.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0
CC := gcc
OPT ?= -O2
SANITIZE ?=
CONFIG ?= $(notdir $(CC))$(if $(SANITIZE),-sanitize)
BUILD := build/$(CONFIG)
BUDGET ?= quick
# Commands are shown in short; V=1 shows them whole.
Q := $(if $(V),,@)
SAY = @$(if $(V),:,echo "  $(@:build/%=%)")
PREFIX ?= /usr/local
DESTDIR ?=

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wno-gnu-zero-variadic-macro-arguments -Wno-unknown-pragmas
CPPFLAGS := -D_GNU_SOURCE -Ibase
# Lines are what profiles and backtraces need; variables would take a third longer to compile.
CFLAGS ?= -g1
# a * b + c may become one FMA with both compilers, also across statements (the default of gcc
# -std=gnu11, not of clang). Probes that need the product rounded pass it through PIN() of vec.h.
FLOATS := -ffp-contract=fast
ALL_CFLAGS = -std=gnu11 $(OPT) $(CFLAGS) $(FLOATS) $(WARNINGS) $(SANITIZE) -fopenmp
# Asked when a recipe runs.
PAPI = $(shell $(CC) -E -include papi.h -x c /dev/null >/dev/null 2>&1 && echo -lpapi)
# ONNX's own description of its files, from which protoc-c makes what reads them.
ONNX_PROTO = $(firstword $(wildcard /usr/local/include/onnx/onnx.proto \
             /usr/local/include/onnx/onnx-ml.proto /usr/include/onnx/onnx.proto \
             /usr/include/onnx/onnx-ml.proto))
ONNX = $(and $(ONNX_PROTO),$(shell command -v protoc-c >/dev/null && $(CC) -E \
       -include protobuf-c/protobuf-c.h -x c /dev/null >/dev/null 2>&1 && echo -lprotobuf-c))
LDLIBS = -lhwloc -lm -ldl $(PAPI) $(ONNX)

# ---- instruction sets: one line each ----
ISAS_x86_64 := scalar sse2 avx avx2 avx512
ISAS_aarch64 := scalar neon
ARCH ?= $(shell uname -m)
ISAS := $(or $(ISAS_$(ARCH)),scalar)
DTYPES := f32 f64
ISA_FLAGS_scalar := -fno-tree-vectorize -fno-tree-slp-vectorize
ISA_FLAGS_sse2 :=
ISA_FLAGS_avx := -mavx
ISA_FLAGS_avx2 := -mavx2 -mfma
ISA_FLAGS_avx512 := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma \
                    -mprefer-vector-width=512
ISA_FLAGS_neon :=

# ---- sources: every .c file of a folder; those with vec.h have ISA bodies ----
SOURCES := $(wildcard base/*.c probes/*.c kernels/*.c roofline/*.c graphopt/*.c graphopt/*/*.c)
CLI_SOURCES := $(wildcard cli/*.c)
BODY_SOURCES := $(shell grep -lE '^\# *include "(vec|elementwise|image|pool|group_norm)\.h"' \
                probes/*.c kernels/*.c)
EMBEDDED := $(wildcard probes/specs/*.csv probes/microarchitectures/*.csv kernels/shapes/*.txt \
            base/events/*.txt graphopt/graphs/*.txt)
TEST_SOURCES := $(wildcard tests/unit/test_*.c tests/variants/test_*.c \
                tests/conformance/test_*.c)
FORMATTED := $(wildcard */*.[ch] tests/*/*.[ch] graphopt/*/*.[ch])

OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
BODY_OBJECTS := $(foreach isa,$(ISAS),$(foreach dtype,$(DTYPES),\
                $(BODY_SOURCES:%.c=$(BUILD)/$(isa)-$(dtype)/%.o)))
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(BUILD)/%.o)
LIBRARY := $(BUILD)/libroofline.a
PROGRAM := $(BUILD)/bin/roofline
TEST_PROGRAMS := $(TEST_SOURCES:%.c=$(BUILD)/%)
PEERS := $(BUILD)/tests/perf/peers
REPEATABILITY := $(BUILD)/tests/perf/repeatability
LINTS := $(sort $(wildcard tests/lint/*.sh))
CLI_TESTS := $(sort $(wildcard tests/cli/test_*.sh))
# What measures this machine has it to itself; of the rest tests/variants, which takes longest, is
# first. Lints look at the sources and at the plain build.
MEASURING_TESTS := $(BUILD)/tests/unit/test_probe $(CLI_TESTS)
TESTS = $(sort $(filter $(BUILD)/tests/variants/%,$(TEST_PROGRAMS))) $(if $(SANITIZE),,$(LINTS)) \
        $(filter-out $(MEASURING_TESTS) $(BUILD)/tests/variants/%,$(TEST_PROGRAMS)) \
        --alone $(MEASURING_TESTS)

.PHONY: help
help: ## print this
	@echo "usage: make [TARGET] [CC=clang] [BUDGET=quick|standard|full] [ONLY=pattern] [V=1]"
	@awk -F ':.*## ' '/^[a-z-]+:.* ## / {printf "  %-14s %s\n", $$1, $$2}' Makefile

# ---- what the project stands on ----
.PHONY: deps deps-ci deps-peers check-deps
deps: ## install what build, bench and test need (apt, dnf, zypper or pacman)
	@scripts/deps.sh install build bench test
deps-ci: ## install what .ci/run needs besides: clang, qemu-user, a compiler for Arm
	@scripts/deps.sh install build bench test ci
deps-peers: ## install the tools that `make perf-peers` compares with
	@scripts/deps.sh install peers

# After deps where both are asked for, before the first compilation.
check-deps: | $(filter deps deps-ci deps-peers,$(MAKECMDGOALS))
	@CC=$(CC) scripts/deps.sh check build $(if $(filter test%,$(MAKECMDGOALS)),test)

# ---- build ----
.DEFAULT_GOAL := all
.PHONY: all build/roofline
all: build/roofline ## build the program: build/roofline

build/roofline: $(PROGRAM)
	@ln -sfn $(PROGRAM:build/%=%) $@

$(PROGRAM): $(CLI_OBJECTS) $(LIBRARY)
	@mkdir -p $(@D)
	$(SAY)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIBRARY): $(OBJECTS) $(BODY_OBJECTS) $(BUILD)/embedded.o
	@rm -f $@
	$(SAY)
	$(Q)$(AR) rcs $@ $^

# Includes follow the arrows of docs/design.md; each folder sees only what it may.
INCLUDES_probes := -Iprobes
INCLUDES_kernels := -Ikernels
INCLUDES_roofline := -Iroofline
INCLUDES_graphopt := -Igraphopt -Ikernels
INCLUDES_cli := -Icli -Iprobes -Ikernels -Iroofline -Igraphopt
INCLUDES_tests := $(INCLUDES_cli) -DTEST_SOURCE_DIR='"$(CURDIR)/tests"'
INCLUDES = $(INCLUDES_$(firstword $(subst /, ,$*)))
# Flags that do not change what an object does; WERROR=1 is for CI.
OBJECT_FLAGS = $(if $(WERROR),-Werror) -MMD -MP -c

$(BUILD)/%.o: %.c Makefile $(BUILD)/flags | check-deps
	@mkdir -p $(@D)
	$(SAY)
	$(Q)$(CC) $(CPPFLAGS) $(INCLUDES) $(ALL_CFLAGS) $(FLAGS_$*) $(OBJECT_FLAGS) -o $@ $<

define ISA_RULE
$(BUILD)/$(1)-$(2)/%.o: %.c Makefile $(BUILD)/flags | check-deps
	@mkdir -p $$(@D)
	$$(SAY)
	$$(Q)$$(CC) $$(CPPFLAGS) $$(INCLUDES) $$(ALL_CFLAGS) $$(ISA_FLAGS_$(1)) \
	    -DISA=$(1) -DDTYPE=$(2) $$(OBJECT_FLAGS) -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(foreach dtype,$(DTYPES),$(eval $(call ISA_RULE,$(isa),$(dtype)))))

# Published machines, collections of shapes and tables of events travel inside the program.
$(BUILD)/embedded.c: scripts/embed.sh $(EMBEDDED)
	@mkdir -p $(@D)
	$(SAY)
	$(Q)scripts/embed.sh $(EMBEDDED) >$@

$(BUILD)/embedded.o: $(BUILD)/embedded.c Makefile $(BUILD)/flags | check-deps
	$(SAY)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# Where protoc-c or onnx.proto is missing there is nothing to include, and reading ONNX says so.
$(BUILD)/onnx/made: $(BUILD)/flags | check-deps
	@rm -rf $(@D) && mkdir -p $(@D)
	$(SAY)
	$(Q)$(if $(ONNX),cp $(ONNX_PROTO) $(@D)/onnx.proto && \
	    protoc-c --proto_path=$(@D) --c_out=$(@D) onnx.proto)
	@touch $@

ONNX_OBJECTS := $(filter $(BUILD)/graphopt/onnx%,$(OBJECTS))
$(ONNX_OBJECTS): $(BUILD)/onnx/made
$(ONNX_OBJECTS): CPPFLAGS += -isystem $(BUILD)/onnx

# Two files that change only when what they say changes; what depends on them is then built anew.
.PHONY: FORCE
$(BUILD)/flags $(BUILD)/commit: FORCE | check-deps
	@mkdir -p $(@D)
	@echo "$(STAMP_$(@F))" | cmp -s - $@ || echo "$(STAMP_$(@F))" >$@
STAMP_flags = $(shell $(CC) --version | head -n 1) $(ALL_CFLAGS) $(LDFLAGS) $(PAPI) $(ONNX)
STAMP_commit = $(or $(shell git --no-optional-locks describe --always --dirty 2>/dev/null),unknown)

$(BUILD)/base/provenance.o: $(BUILD)/commit
FLAGS_cli/main = -DROOFLINE_VERSION='"$(VERSION)"'
FLAGS_base/provenance = $(FLAGS_cli/main) -DROOFLINE_COMMIT='"$(shell cat $(BUILD)/commit)"' \
                        -DROOFLINE_FLAGS='"$(ALL_CFLAGS)"'

# ---- measure ----
.PHONY: bench baseline perf-peers perf-repeat
bench: build/roofline ## measure this machine: results/<host>/latest with plot and report (BUDGET=)
	@scripts/bench.sh $(PROGRAM) $(BUDGET)

baseline: ## keep the latest results as results/<host>/baseline
	@scripts/baseline.sh

perf-peers: $(PEERS) ## ours against likwid-bench and libraries (ONLY=, ISA=)
	@scripts/perf-peers $(PEERS) $(ONLY)

perf-repeat: build/roofline $(REPEATABILITY) ## how far ten runs of the probe agree (RUNS=)
	@scripts/perf-repeat $(PROGRAM) $(REPEATABILITY) $(RUNS)

# ---- test ----
.PHONY: test test-sanitize test-ulp fuzz
test: $(PROGRAM) $(TEST_PROGRAMS) $(PEERS) ## run the tests (ONLY=pattern of paths)
	@ROOFLINE=$(PROGRAM) BUILD=$(BUILD) CC=$(CC) tests/run $(TESTS)

# Test programs see the subcommands too, all but main().
$(TEST_PROGRAMS) $(PEERS) $(REPEATABILITY): %: %.o $(filter-out %/main.o,$(CLI_OBJECTS)) $(LIBRARY)
	$(SAY)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARY) \
	    $(LDLIBS) $(if $(filter test_%,$(@F)),-lcmocka)

$(PEERS): $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/perf/peers_*.c))

# `private`: what this program is built from is linked nowhere else with these wrappers.
$(BUILD)/tests/unit/test_out_of_memory: private LDFLAGS += \
    -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

# -O1 and loops left rolled: as they are built else, these checks are compiled for an hour.
test-sanitize: ## run the tests under AddressSanitizer and UBSan (CC=gcc|clang)
	@TEST_SECONDS=1200 VARIANTS_BRIEF=1e5 $(MAKE) OPT=-O1 test \
	    SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all -DROLLED"

test-ulp: $(BUILD)/tests/variants/test_ulp ## vec_math.h on every float (half an hour)
	CMOCKA_MESSAGE_OUTPUT=TAP $< all

# Other CPUs: the native variants test on older ones, and one for aarch64, linked from
# what needs no library but the C library and OpenMP.
.PHONY: test-emulated
test-emulated: $(PROGRAM) $(BUILD)/tests/variants/test_variants ## kernels on CPUs this one is not
	@! command -v aarch64-linux-gnu-gcc >/dev/null || $(MAKE) ARCH=aarch64 CONFIG=aarch64 \
	    CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar build/aarch64/tests/cross/variants
	@ROOFLINE=$(PROGRAM) BUILD=$(BUILD) TEST_SECONDS=1800 tests/run \
	    $(sort $(wildcard tests/cross/test_*.sh))

$(BUILD)/tests/cross/variants: $(BUILD)/tests/variants/test_variants.o \
    $(BUILD)/tests/cross/stand_ins.o $(filter-out $(BUILD)/base/host.o,$(OBJECTS)) $(BODY_OBJECTS)
	$(SAY)
	@rm -f $@.a
	$(Q)$(AR) rcs $@.a $^
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< $@.a -lm

# libFuzzer comes with clang; new inputs that it finds interesting stay in build/fuzz. What is
# fuzzed is built with the sanitizers, once for all fuzzers; the kernels that graphs refer to are
# the plain build's.
FUZZ_SECONDS ?= 20
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZED := $(wildcard base/table*.c base/file.c base/error.c graphopt/*.c graphopt/*/*.c)
FUZZED_OBJECTS := $(FUZZED:%.c=build/fuzz/%.o)
FUZZ_FLAGS := -std=gnu11 -O1 -g -fno-sanitize-recover=all
FUZZ_SANITIZERS := address,undefined
fuzz: $(FUZZERS:%=build/fuzz/fuzz_%) ## fuzz the readers of files (needs clang; FUZZ_SECONDS=)
	$(foreach name,$(FUZZERS),$(FUZZ) &&) true

FUZZ = mkdir -p build/fuzz/$(name) && \
    build/fuzz/fuzz_$(name) -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -verbosity=0 \
    -print_final_stats=1 -artifact_prefix=build/fuzz/ build/fuzz/$(name) tests/fuzz/corpus/$(name)

.SECONDARY: $(FUZZED_OBJECTS) $(FUZZERS:%=build/fuzz/tests/fuzz/fuzz_%.o)
build/fuzz/fuzz_%: build/fuzz/tests/fuzz/fuzz_%.o $(FUZZED_OBJECTS) $(LIBRARY)
	$(SAY)
	$(Q)clang $(FUZZ_FLAGS) -fsanitize=fuzzer,$(FUZZ_SANITIZERS) -o $@ $^ $(LDLIBS) -lgomp

build/fuzz/%.o: %.c Makefile $(BUILD)/flags $(BUILD)/onnx/made | check-deps
	@mkdir -p $(@D)
	$(SAY)
	$(Q)clang $(CPPFLAGS) -Igraphopt -Ikernels -isystem $(BUILD)/onnx $(FUZZ_FLAGS) \
	    -fsanitize=fuzzer-no-link,$(FUZZ_SANITIZERS) -MMD -MP -c -o $@ $<

# ---- keep in shape ----
.PHONY: lint format check-format
lint: $(PROGRAM) ## run the lints alone: include arrows, vector code, peak loops, sizes, globals
	@BUILD=$(BUILD) CC=$(CC) tests/run $(LINTS)

format: ## let clang-format rewrite the sources
	clang-format -i $(FORMATTED)

check-format: ## fail where clang-format would change something
	clang-format --dry-run -Werror $(FORMATTED)

# ---- install ----
BIN := $(DESTDIR)$(PREFIX)/bin
DOC := $(DESTDIR)$(PREFIX)/share/doc/roofline
COMPLETION := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
MAN := $(DESTDIR)$(PREFIX)/share/man/man1
.PHONY: install uninstall clean
install: $(PROGRAM) ## install program, docs, manual pages, completion (PREFIX, DESTDIR)
	install -d $(BIN) $(DOC) $(COMPLETION)
	install -m 755 $(PROGRAM) $(BIN)/roofline
	install -m 644 $(wildcard README.md CHANGELOG.md LICENSE docs/*.md) $(DOC)
	install -m 644 scripts/completion.bash $(COMPLETION)/roofline
	scripts/man.sh $(PROGRAM) $(MAN)

uninstall: ## remove what install put there
	rm -f $(BIN)/roofline $(COMPLETION)/roofline $(MAN)/roofline.1 $(MAN)/roofline-*.1
	rm -rf $(DOC)

clean: ## remove build/
	rm -rf build

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d build/fuzz/*/*.d build/fuzz/*/*/*.d)
