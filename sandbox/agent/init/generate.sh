#!/bin/sh
# Makes the embedded init binaries: `go generate ./sandbox/agent/init`. Debian 12's clang-14 and
# lld-14 are the pinned compiler, so that the same source gives the same bytes.
set -eu
cd "$(dirname "$0")"
command -v clang-14 >/dev/null && command -v ld.lld-14 >/dev/null || {
	echo "missing: apt-get install clang-14 lld-14" >&2
	exit 1
}
out=${1:-.}
for pair in amd64:x86_64 arm64:aarch64; do
	clang-14 --target="${pair#*:}-linux-gnu" -Os -Wall -Wextra -Werror -ffreestanding -fno-builtin -nostdlib -static \
		-fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -fno-ident -fomit-frame-pointer \
		-fuse-ld=lld-14 -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,max-page-size=4096 \
		-Wl,-z,nognustack -Wl,--strip-all -o "$out/init_${pair%:*}" init.c
done
cat init.c generate.sh | sha256sum | cut -d' ' -f1 >"$out/init.sum"
