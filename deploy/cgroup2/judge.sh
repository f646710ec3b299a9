#!/bin/sh
# Judges some of the examples on this machine, which must have cgroup v2 alone, once in each place in
# which Optimus may find itself. `make test-cgroup2-quick` runs it in the virtual machine of vm.sh, where
# everything is ten to fifty times slower: so only programs whose verdict does not hang on speed, and
# with more time than the catalogue gives where they state none.
#
#   top        a process at the top, or anywhere that is not delegated
#   delegated  a service with systemd's Delegate=
#   nested     a container in a pod: the root of a cgroup namespace
set -eu
cd "$(dirname "$0")/../.."
[ -f /sys/fs/cgroup/cgroup.controllers ] || { echo "this machine has cgroup v1" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# examples FOLDER NAME… puts the examples of these names together.
examples() {
  mkdir "$work/$1"
  folder=$1
  shift
  for name; do cp -r "docs/examples/$name" "$work/$folder/"; done
}

# judge FOLDER GROUP judges what is in FOLDER; meanwhile the runs' groups must lie in GROUP.
judge() {
  ./optimus admin demo --data "$work/data" "$work/$1" &
  demo=$!
  seen=no
  while kill -0 "$demo" 2>/dev/null; do
    [ -z "$(find "/sys/fs/cgroup$2" -maxdepth 2 -name agent 2>/dev/null)" ] || seen=yes
    sleep 0.2
  done
  wait "$demo"
  [ $seen = yes ] || { echo "no container was seen in $2" >&2; exit 1; }
}

# clean GROUP fails where a container's group is left.
clean() {
  left=$(find "/sys/fs/cgroup$1" -mindepth 1 -type d)
  [ -z "$left" ] || { echo "cgroups are left: $left" >&2; exit 1; }
}

case ${1-all} in
nested) # already inside: see below
  umount /sys/fs/cgroup # the same file system may not lie on itself
  mount -t cgroup2 none /sys/fs/cgroup
  work=$2
  trap - EXIT
  judge few /optimus
  exit
  ;;
esac

export OPTIMUS_CATALOGUE="$work/languages.json"
sed 's/"name": "python",/& "limits": {"cpu": "30s", "wall": "60s"},/' config/languages.json >"$OPTIMUS_CATALOGUE"
uname -r
./optimus admin images build --data "$work/data" python
examples many python-accepted python-wrong-answer python-crash python-time-limit python-memory-limit \
  python-hostile-fork-bomb python-hostile-output python-hostile-snoop
examples few python-accepted python-memory-limit python-hostile-fork-bomb

echo "== top"
judge many /optimus
[ ! -d /sys/fs/cgroup/optimus ] || clean /optimus

echo "== delegated"
service=/system.slice/optimus.service
mkdir -p "/sys/fs/cgroup$service"
setfattr -n trusted.delegate -v 1 "/sys/fs/cgroup$service"
# A shell of its own joins, as the service manager would have it.
(
  sh -c 'echo $PPID' >"/sys/fs/cgroup$service/cgroup.procs"
  judge few "$service/optimus"
)
[ ! -d "/sys/fs/cgroup$service/optimus" ] || clean "$service/optimus"

echo "== nested"
pod=/kubepods/pod1/container
mkdir -p "/sys/fs/cgroup$pod"
for dir in "" /kubepods /kubepods/pod1; do echo "+memory +pids" >"/sys/fs/cgroup$dir/cgroup.subtree_control"; done
(
  sh -c 'echo $PPID' >"/sys/fs/cgroup$pod/cgroup.procs"
  unshare --cgroup --mount "$0" nested "$work"
)
[ ! -d "/sys/fs/cgroup$pod/optimus" ] || clean "$pod/optimus"
