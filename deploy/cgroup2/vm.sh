#!/usr/bin/env bash
# Runs a command on a machine that has cgroup v2 alone, as most users' machines do: Debian's own
# kernel in QEMU's software emulation, so neither KVM nor a reboot is needed.
#
#   deploy/cgroup2/vm.sh COMMAND [ARGUMENT…]
#
# The machine sees this one's whole file system, read-only at the same paths; what it writes goes to
# its memory and is forgotten; containerd's snapshots need a file system that is no overlay, which it
# finds at $TMPDIR. The command's output comes out here, its exit code is this script's.
# 124: it took longer than VM_TIMEOUT (900 s). 125: the machine itself failed.
set -euo pipefail

cache=${OPTIMUS_CACHE:-${XDG_CACHE_HOME:-/var/cache}/optimus}/cgroup2-vm
memory=${VM_MEMORY:-6144} # MiB
modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_console
  netfs fscache 9pnet 9pnet_virtio 9p overlay"

die() {
  echo "cgroup2-vm: $*" >&2
  exit 125
}

# install FILE=PACKAGE…
install() {
  local pair missing=()
  for pair in "$@"; do [ -e "${pair%%=*}" ] || missing+=("${pair#*=}"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "cgroup2-vm: installing ${missing[*]}" >&2
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
    >"$cache/apt.log" 2>&1 || { tail -n 20 "$cache/apt.log" >&2; die "apt-get failed"; }
}

# The kernel and its modules are unpacked into the cache; this machine's own boot stays as it is.
fetch_kernel() {
  [ ! -e "$cache/vmlinuz" ] || return 0
  local package work
  package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
  [ -n "$package" ] || die "apt knows no linux-image-amd64: run apt-get update"
  work=$(mktemp -d "$cache/kernel.XXXXXX")
  echo "cgroup2-vm: fetching $package" >&2
  (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "$package" >&2 && dpkg-deb -x ./*.deb .)
  mkdir -p "$cache/modules"
  local m
  for m in $modules; do find "$work" -name "$m.ko" -exec cp {} "$cache/modules/" \; ; done
  cp "$work"/boot/vmlinuz-* "$cache/vmlinuz.part"
  mv "$cache/vmlinuz.part" "$cache/vmlinuz"
  rm -rf "$work"
}

# The first process: modules in the order of what they need, this machine's files under an overlay
# in memory, cgroup v2, then the command.
make_initramfs() {
  local root=$1
  mkdir -p "$root"/{bin,proc,sys,dev,host,memory,root,modules}
  cp /bin/busybox "$root/bin/"
  cp "$cache"/modules/*.ko "$root/modules/"
  cat >"$root/init" <<INIT
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in $(echo $modules); do insmod /modules/\$m.ko || echo "no module \$m"; done
stty -F /dev/hvc0 raw
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose host /host
mount -t tmpfs -o size=90% memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work root /root
cd /root
mount -t proc proc proc
mount -t sysfs sys sys
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 sys/fs/cgroup
mount --move /dev dev
mkdir -p dev/pts dev/shm dev/mqueue
mount -t devpts devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
mount -t mqueue mqueue dev/mqueue
ln -sf /proc/self/fd dev/fd
mount -t tmpfs -o mode=0755,size=90% run run
mkdir run/exchange run/tmp
mount -t 9p -o trans=virtio,version=9p2000.L,rw,msize=512000,cache=none exchange run/exchange
ip link set lo up
umount /proc /sys
exec switch_root /root /bin/sh /run/exchange/start
INIT
  chmod +x "$root/init"
  (cd "$root" && find . | /bin/busybox cpio -o -H newc 2>/dev/null) >"$root.img"
}

boot() {
  local exchange=$1 initrd=$2 rc=0
  timeout --foreground "${VM_TIMEOUT:-900}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max,la57=off -smp 2 \
    -m "$memory" -nodefaults -no-user-config -display none -no-reboot \
    -kernel "$cache/vmlinuz" -initrd "$initrd" -append "console=ttyS0 panic=-1 quiet cgroup_no_v1=all" \
    -serial "file:$exchange/console" \
    -device virtio-serial-pci -chardev stdio,id=out,signal=off -device virtconsole,chardev=out \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
    -virtfs "local,path=$exchange,mount_tag=exchange,security_model=none" </dev/null || rc=$?
  [ $rc != 124 ] || { echo "cgroup2-vm: stopped after ${VM_TIMEOUT:-900} s" >&2; exit 124; }
  [ -s "$exchange/code" ] || { tail -n 15 "$exchange/console" >&2; die "the machine failed"; }
}

[ $# -gt 0 ] || die "usage: $0 COMMAND [ARGUMENT…]"
mkdir -p "$cache"
install /bin/busybox=busybox-static /usr/bin/qemu-system-x86_64=qemu-system-x86
fetch_kernel
work=$(mktemp -d "$cache/boot.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/exchange"
make_initramfs "$work/initramfs"
cat >"$work/exchange/start" <<START
cd $(printf %q "$PWD")
export PATH=$(printf %q "$PATH") HOME=/run/tmp TMPDIR=/run/tmp LANG=C.UTF-8
$(printf '%q ' "$@") </dev/null >/dev/hvc0 2>&1
echo \$? >/run/exchange/code
sync
/bin/busybox poweroff -f
START
boot "$work/exchange" "$work/initramfs.img"
exit "$(cat "$work/exchange/code")"
