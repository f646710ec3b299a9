#!/bin/sh
# Judges some of the examples on this machine, which must have cgroup v2 alone. `make test-cgroup2`
# runs it in the virtual machine of vm.sh, where everything is ten to fifty times slower: so only
# programs whose verdict does not hang on speed.
set -eu
cd "$(dirname "$0")/../.."
[ -f /sys/fs/cgroup/cgroup.controllers ] || { echo "this machine has cgroup v1" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/examples"
for name in python-accepted python-wrong-answer python-crash python-time-limit python-memory-limit \
  python-hostile-fork-bomb python-hostile-output python-hostile-snoop; do
  cp -r "docs/examples/$name" "$work/examples/"
done
uname -r
./optimus admin images build --data "$work/data" python
./optimus admin demo --data "$work/data" "$work/examples"
left=$(find /sys/fs/cgroup -maxdepth 1 -name 'optimus*')
[ -z "$left" ] || { echo "cgroups are left: $left" >&2; exit 1; }
