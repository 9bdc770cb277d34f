#!/usr/bin/env bash
# Writes the modelled machines of this folder with hwloc's own tools; README.md has the sources.
#
# lstopo builds the tree from a synthetic description, innermost level last; hwloc-annotate adds
# what CPUID says. On x86 Linux numbers the first siblings of all cores before the second ones:
# PU index = sibling * cores + core.
set -euo pipefail
cd "$(dirname "$0")"

KiB=1024
MiB=$((1024 * KiB))
GiB=$((1024 * MiB))

# siblings CORES: the PU indexes of two siblings per core, in topology order
siblings() {
    local core
    for ((core = 0; core < $1; core++)); do
        printf '%d,%d,' "$core" $((core + $1))
    done | sed 's/,$//'
}

# machine FILE SYNTHETIC [INFO VALUE]...
machine() {
    local file=$1.xml
    lstopo-no-graphics --if synthetic -i "$2" --of xml --force "$file"
    shift 2
    while [ $# -gt 0 ]; do
        hwloc-annotate "$file" "$file" package:all info "$1" "$2"
        shift 2
    done
    sed -i -e '/name="ProcessName"/d' -e '/name="SyntheticDescription"/d' "$file"
}

machine xeon-e5-2697-v2-2s \
    "package:2 [numa(memory=$((64 * GiB)))] l3:1(size=$((30 * MiB))) l2:12(size=$((256 * KiB))) \
     l1d:1(size=$((32 * KiB))) core:1 pu:2(indexes=$(siblings 24))" \
    CPUVendor GenuineIntel CPUFamilyNumber 6 CPUModelNumber 62 CPUStepping 4 \
    CPUModel 'Intel(R) Xeon(R) CPU E5-2697 v2 @ 2.70GHz'

machine epyc-7763-2s-nps4 \
    "package:2 group:4 [numa(memory=$((64 * GiB)))] l3:2(size=$((32 * MiB))) \
     l2:8(size=$((512 * KiB))) l1d:1(size=$((32 * KiB))) core:1 pu:2(indexes=$(siblings 128))" \
    CPUVendor AuthenticAMD CPUFamilyNumber 25 CPUModelNumber 1 CPUStepping 1 \
    CPUModel 'AMD EPYC 7763 64-Core Processor'

machine altra-q80-30 \
    "package:1 [numa(memory=$((256 * GiB)))] l3:1(size=$((32 * MiB))) l2:80(size=$((1 * MiB))) \
     l1d:1(size=$((64 * KiB))) core:1 pu:1" \
    CPUImplementer 0x41 CPUArchitecture 8 CPUVariant 0x3 CPUPart 0xd0c CPURevision 1
