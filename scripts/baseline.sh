#!/usr/bin/env bash
# Copies results/<host>/latest to results/<host>/baseline, which is kept with the project.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(scripts/host-folder.sh)
latest=$folder/latest
baseline=$folder/baseline
if [ ! -d "$latest" ]; then
    echo "baseline: '$latest' is not there; measure first: make bench" >&2
    exit 4
fi
rm -rf "$baseline.new"
cp -RL "$latest" "$baseline.new"
rm -rf "$baseline"
mv "$baseline.new" "$baseline"
echo "baseline: $baseline ($(readlink "$latest"))"
