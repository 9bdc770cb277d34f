#!/usr/bin/env bash
# Prints where the results of this machine are kept: results/<host>, in harmless letters.
echo "results/$(uname -n | tr -c 'A-Za-z0-9._\n-' _)"
