#!/usr/bin/env bash
# Boots the systemd of a Debian's tree, in namespaces and a cgroup of its own, as on a machine of that name. It ends
# with that systemd. The machine's network is a loopback alone.
#
#   boot.sh TREE
set -euo pipefail

# The hierarchies of cgroups: one in version 2, else one for each controller.
hierarchies() {
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    echo .
  else
    (cd /sys/fs/cgroup && ls -d -- */)
  fi
}

case $1 in
join) # in the new PID namespace; what is mounted is still the outer machine's
  for h in $(hierarchies); do echo 0 >"/sys/fs/cgroup/$h/$3/cgroup.procs"; done
  exec unshare --cgroup "$0" start "$2" # whose root is now that group
  ;;
start)
  tree=$2
  mount --make-rprivate /
  mount --bind "$tree" "$tree"
  mount -t proc proc "$tree/proc"
  mount -t sysfs sysfs "$tree/sys"
  mount -t tmpfs -o mode=0755 run "$tree/run"
  mount -t tmpfs -o mode=1777 tmp "$tree/tmp"
  mount -t tmpfs -o mode=0755 dev "$tree/dev"
  for device in null zero full random urandom tty; do
    touch "$tree/dev/$device"
    mount --bind "/dev/$device" "$tree/dev/$device"
  done
  mkdir "$tree/dev/pts" "$tree/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$tree/dev/pts"
  mount -t tmpfs -o mode=1777 shm "$tree/dev/shm"
  ln -s pts/ptmx "$tree/dev/ptmx"
  ln -s /proc/self/fd "$tree/dev/fd"
  if [ "$(hierarchies)" = . ]; then
    mount -t cgroup2 cgroup2 "$tree/sys/fs/cgroup"
  else
    mount -t tmpfs -o mode=0755 cgroup "$tree/sys/fs/cgroup"
    for h in $(hierarchies); do
      mkdir "$tree/sys/fs/cgroup/$h"
      case ${h%/} in
      unified) mount -t cgroup2 cgroup2 "$tree/sys/fs/cgroup/$h" ;;
      systemd) mount -t cgroup -o none,name=systemd cgroup "$tree/sys/fs/cgroup/$h" ;;
      *) mount -t cgroup -o "${h%/}" cgroup "$tree/sys/fs/cgroup/$h" ;;
      esac
    done
  fi
  # By container= systemd knows that it is not on a machine of its own.
  exec env -i container=optimus-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    unshare --root="$tree" /lib/systemd/systemd --show-status=0
  ;;
esac

tree=$1
group=optimus-test-$$
clean() {
  for h in $(hierarchies); do
    find "/sys/fs/cgroup/$h/$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}
trap clean EXIT
if [ "$(hierarchies)" = . ]; then
  # A group has those controllers that the one above hands down. systemd has done that where it runs this machine.
  for controller in cpu io memory pids; do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
  done
fi
for h in $(hierarchies); do
  mkdir "/sys/fs/cgroup/$h/$group"
  if [ "${h%/}" = cpuset ]; then
    for knob in cpuset.cpus cpuset.mems; do cat "/sys/fs/cgroup/cpuset/$knob" >"/sys/fs/cgroup/cpuset/$group/$knob"; done
  fi
done
unshare --mount --pid --fork --kill-child --uts --ipc --net "$0" join "$tree" "$group" </dev/null || true
