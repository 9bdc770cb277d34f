#!/usr/bin/env bash
# Copies results/<host>/latest to results/<host>/baseline, which is kept with the project.
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(uname -n | tr -c 'A-Za-z0-9._\n-' _)
latest=results/$host/latest
baseline=results/$host/baseline
if [ ! -d "$latest" ]; then
    echo "baseline: '$latest' is not there; measure first: make bench" >&2
    exit 4
fi
rm -rf "$baseline.new"
cp -RL "$latest" "$baseline.new"
rm -rf "$baseline"
mv "$baseline.new" "$baseline"
echo "baseline: $baseline ($(readlink "$latest"))"
