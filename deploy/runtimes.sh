#!/usr/bin/env bash
# Compiles from the Go module proxy what Debian 12 does not have: containerd 2 with its shim for runc,
# and gVisor (runsc with its shim), which needs containerd 2.
#
#   deploy/runtimes.sh        compile what is missing, and print the folder where it lies
#
# Nothing is installed: whoever is to use them has that folder first on its PATH. With nothing
# missing it takes some milliseconds; from nothing, about ten minutes on two processors.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${OPTIMUS_CACHE:-${XDG_CACHE_HOME:-/var/cache}/optimus}
bin=$cache/bin
gvisor=v0.0.0-20260905035102-160fafc42237 # of gVisor's branch "go", which compiles without Bazel

say() { echo "runtimes: $*" >&2; }

die() {
  say "$@"
  exit 1
}

# A file named for what was compiled last: another version is compiled anew.
is_there() { [ -e "$bin/.$1" ]; }

done_with() {
  rm -f "$bin/.${1%%@*}@"*
  touch "$bin/.$1"
}

# containerd is the version whose client Optimus is linked with.
containerd() {
  local version work
  version=$(go list -m -f '{{.Version}}' github.com/containerd/containerd/v2)
  ! is_there "containerd@$version" || return 0
  say "compiling containerd $version and its shim (some minutes)"
  work=$(mktemp -d "$cache/containerd.XXXXXX")
  trap 'rm -rf "$work"' RETURN
  # From a folder of no module: these commands need other packages than Optimus does.
  (cd "$work" && CGO_ENABLED=0 GOFLAGS=-mod=mod GOBIN=$work go install -trimpath -ldflags='-s -w' \
    github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr}@"$version")
  mv "$work"/{containerd,containerd-shim-runc-v2,ctr} "$bin/"
  done_with "containerd@$version"
}

gvisor() {
  local source work
  ! is_there "gvisor@$gvisor" || return 0
  say "compiling gVisor ${gvisor##*-} and its shim (some minutes)"
  work=$(mktemp -d "$cache/gvisor.XXXXXX")
  trap 'rm -rf "$work"' RETURN
  source=$(cd "$work" && GOFLAGS=-mod=mod go mod download -json "gvisor.dev/gvisor@$gvisor" | sed -n 's/^\s*"Dir": "\(.*\)",*$/\1/p')
  [ -d "$source" ] || die "the module proxy gave no source of gvisor.dev/gvisor@$gvisor"
  cp -r "$source" "$work/source"
  chmod -R u+w "$work"
  # Its shim lowers the score by which the kernel chooses whom to kill, and gives up where it may not
  # (without CAP_SYS_RESOURCE, in many containers): there it is to go on instead.
  local file=$work/source/pkg/shim/v1/manager.go
  sed -i '/sys.SetOOMScore(cmd.Process.Pid, oomScoreMax); err != nil {/s/err != nil {/err != nil \&\& !os.IsPermission(err) {/' "$file"
  grep -q 'oomScoreMax); err != nil && !os.IsPermission' "$file" || die "the change to gVisor's shim does not fit $gvisor"
  (cd "$work/source" && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$work/out/" ./runsc ./shim)
  mv "$work/out/shim" "$bin/containerd-shim-runsc-v1"
  mv "$work/out/runsc" "$bin/runsc"
  done_with "gvisor@$gvisor"
}

command -v go >/dev/null || die "no Go compiler on the PATH: install Go 1.26 or later from https://go.dev/dl"
mkdir -p "$bin" || die "set OPTIMUS_CACHE to a folder that may be written to"
containerd
gvisor
echo "$bin"
