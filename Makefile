# Roofline suite. `make help` says what there is; every list of files below is read from the tree.
#
#   build/$(CONFIG)/              objects of one compiler and one set of flags
#   build/$(CONFIG)/avx2-f32/     ISA bodies: the same sources once per instruction set and format

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
PREFIX ?= /usr/local
DESTDIR ?=

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wno-gnu-zero-variadic-macro-arguments -Wno-unknown-pragmas
CPPFLAGS := -D_GNU_SOURCE -Ibase
CFLAGS ?= -g
ALL_CFLAGS = -std=gnu11 $(OPT) $(CFLAGS) $(WARNINGS) $(SANITIZE) -fopenmp
LDLIBS = -lhwloc -lm -ldl $(if $(PAPI),-lpapi)
# Asked for when a recipe runs, not when make parses: `make deps bench` installs it in between.
PAPI = $(wildcard /usr/include/papi.h /usr/local/include/papi.h)

# ---- instruction sets: one line each ----
ISAS_x86_64 := scalar sse2 avx avx2 avx512
ISAS_aarch64 := scalar neon
ARCH := $(shell uname -m)
ISAS := $(or $(ISAS_$(ARCH)),scalar)
DTYPES := f32 f64
ISA_FLAGS_scalar := -fno-tree-vectorize
ISA_FLAGS_sse2 :=
ISA_FLAGS_avx := -mavx
ISA_FLAGS_avx2 := -mavx2 -mfma
ISA_FLAGS_avx512 := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
ISA_FLAGS_neon :=

# ---- sources: every .c file of a folder; those that include vec.h have ISA bodies ----
SOURCES := $(wildcard base/*.c probes/*.c kernels/*.c roofline/*.c)
CLI_SOURCES := $(wildcard cli/*.c)
BODY_SOURCES := $(shell grep -l '^\# *include "vec.h"' probes/*.c kernels/*.c kernels/*.h 2>/dev/null | grep '\.c$$')
BODY_SOURCES += $(shell grep -l '^\# *include "elementwise.h"' kernels/*.c 2>/dev/null)
SPECS := $(wildcard probes/specs/*.csv probes/microarchitectures/*.csv)

OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
BODY_OBJECTS := $(foreach isa,$(ISAS),$(foreach dtype,$(DTYPES),\
                $(BODY_SOURCES:%.c=$(BUILD)/$(isa)-$(dtype)/%.o)))
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(BUILD)/%.o)
LIBRARY := $(BUILD)/libroofline.a
PROGRAM := $(BUILD)/roofline

.PHONY: all
all: build/roofline ## build the program: build/roofline

build/roofline: $(PROGRAM)
	@ln -sf $(CONFIG)/roofline $@

$(PROGRAM): $(CLI_OBJECTS) $(LIBRARY)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIBRARY): $(OBJECTS) $(BODY_OBJECTS) $(BUILD)/embedded.o
	@rm -f $@
	$(AR) rcs $@ $^

# Includes follow the arrows of docs/design.md; each folder sees only what it may.
INCLUDES_probes := -Iprobes
INCLUDES_kernels := -Ikernels
INCLUDES_roofline := -Iroofline
INCLUDES_cli := -Icli -Iprobes -Ikernels -Iroofline

$(BUILD)/%.o: %.c Makefile | check-deps
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(INCLUDES_$(firstword $(subst /, ,$*))) $(ALL_CFLAGS) $(FLAGS_$*) -MMD -MP -c -o $@ $<

define ISA_RULE
$(BUILD)/$(1)-$(2)/%.o: %.c Makefile | check-deps
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) $$(INCLUDES_$$(firstword $$(subst /, ,$$*))) $$(ALL_CFLAGS) $$(ISA_FLAGS_$(1)) \
	    -DISA=$(1) -DDTYPE=$(2) -MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(foreach dtype,$(DTYPES),$(eval $(call ISA_RULE,$(isa),$(dtype)))))

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)
