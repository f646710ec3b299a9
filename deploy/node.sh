#!/usr/bin/env bash
# Tells whether Node is there, and new enough to build and test the page.
set -euo pipefail

least=20.19
have=$(node --version 2>/dev/null | tr -d v) || true
if [ -z "$have" ] || [ "$(printf '%s\n' "$least" "$have" | sort -V | head -n 1)" != "$least" ]; then
  echo "the page is built by Node $least or later, but ${have:-none} is on the PATH: install one from https://nodejs.org" >&2
  echo "what was built is in web/ui/dist: go build and make build need no Node" >&2
  exit 1
fi
command -v npm >/dev/null || { echo "npm, which comes with Node, is not on the PATH" >&2; exit 1; }
