#!/usr/bin/env bash
# Installs from Debian what running and testing Optimus need, and says why. With nothing missing it
# does nothing, in some milliseconds.
#
#   setup.sh [PROOF=PACKAGE=WHY]…   what is needed besides, in the form of the list below
set -euo pipefail

# What shows that it is there (a command or a file) = Debian package = why.
needed=(
  "containerd=containerd=keeps the language images and runs containers"
  "runc=runc=starts containers"
  "mmdebstrap=mmdebstrap=builds language images from Debian packages"
  "/usr/share/keyrings/debian-archive-trixie-stable.gpg=debian-archive-keyring=proves that those packages are Debian's"
  "/etc/ssl/certs/ca-certificates.crt=ca-certificates=fetches over HTTPS"
  "setfattr=attr=marks cgroups as delegated, in tests"
  "gcc=gcc=links tests under the race detector"
  "redis-server=redis-server=keeps queues, in tests, which start their own"
  "systemd-analyze=systemd=checks systemd's units, in tests"
  "faketime=faketime=gives a queue's server another clock, in tests"
  "/usr/include/stdlib.h=libc6-dev=links tests under the race detector"
  "$@"
)

die() {
  echo "setup: $*" >&2
  exit 1
}

# Debian starts what it installs. Servers that are for tests alone are kept from that, unless the machine
# has a policy of its own.
policy=
without_servers() {
  local services=()
  for service in redis-server postgresql etcd; do
    [[ " ${missing[*]} " != *" $service"[-\ ]* ]] || services+=("$service")
  done
  if [ ${#services[@]} -gt 0 ] && [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d
    # shellcheck disable=SC2016 # the policy's own arguments
    printf '#!/bin/sh\ncase "$*" in *redis* | *postgresql* | *etcd*) exit 101 ;; esac\n' >"$policy"
    chmod 755 "$policy"
  fi
  "$@"
  [ -z "$policy" ] || systemctl --quiet disable "${services[@]}" 2>/dev/null || true
}

missing=()
for item in "${needed[@]}"; do
  IFS='=' read -r proof package why <<<"$item"
  if [[ $proof == /* ]]; then [ -e "$proof" ] && continue; fi
  # /sbin is not on everyone's path, and runc lives there.
  PATH=$PATH:/usr/sbin:/sbin command -v "$proof" >/dev/null && continue
  missing+=("$package")
  printf 'setup: missing %-22s %s\n' "$package" "$why" >&2
done

[ "$(uname -s)" = Linux ] || die "Optimus runs on Linux alone: use a Linux machine or virtual machine"
command -v go >/dev/null || die "no Go compiler on the PATH: install Go 1.26 or later from https://go.dev/dl"
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || die "this is not Debian: install the above with your own package manager, then run this again"
  [ "$(id -u)" = 0 ] || die "not root: run 'sudo apt-get install ${missing[*]}', or this again as root"
  log=$(mktemp)
  trap 'rm -f "$log" ${policy:+"$policy"}' EXIT
  apt() {
    echo "setup: apt-get $*" >&2
    DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >"$log" 2>&1 || {
      tail -n 20 "$log" >&2
      die "apt-get $1 failed: mend what it says, then run this again"
    }
  }
  apt update
  without_servers apt install -y --no-install-recommends "${missing[@]}"
fi
[ "$(id -u)" = 0 ] || die "not root: containers, mounts and cgroups need it. Run make as root"
