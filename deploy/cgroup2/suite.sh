#!/bin/sh
# Holds runs on this machine, which must have cgroup v2 alone, to the runner's suite: the catalogue's
# Python and C++ programs and the faults. `make test-cgroup2` runs it in the virtual machine of vm.sh.
#
#   suite.sh N   the machine is N times slower than a real one
set -eu
cd "$(dirname "$0")/../../modes"
[ -f /sys/fs/cgroup/cgroup.controllers ] || { echo "this machine has cgroup v1" >&2; exit 1; }
uname -r
OPTIMUS_TEST_SLOWER=$1 OPTIMUS_TEST_BINARY="$(cd .. && pwd)/optimus" \
  ../dist/modes.test -test.v -test.timeout 2h -test.run '^TestRunnerSuite$'
