#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install programs, library, headers, man pages and units.
#
# usage: install.sh BUILD PREFIX VERSION [DESTDIR]      BUILD/bin, BUILD/man and libvmcp.a are there
set -eu

build=$1
prefix=$2
version=$3
to=${4:-}$prefix
packaging=$(cd "$(dirname "$0")" && pwd)

for program in vmcp vmcpd vmcp-launch gce-emulator; do
    install -D -m 755 -t "$to/bin" "$build/bin/$program"
done
install -D -m 644 -t "$to/lib" "$build/libvmcp.a"
install -D -m 644 -t "$to/include/vmcp" "$packaging"/../lib/*.h
install -D -m 644 -t "$to/share/man/man1" "$build"/man/*.1
install -D -m 644 -t "$to/share/man/man8" "$build"/man/*.8

units=$to/lib/systemd/system
install -D -m 644 -t "$units" "$packaging/vmcpd.service" "$packaging/vmcpd.socket" \
    "$packaging/vmcp-launch-schedule.service"
sed -i "s|/usr/bin/|$prefix/bin/|" "$units/vmcpd.service" "$units/vmcp-launch-schedule.service"
install -D -m 644 "$packaging/vmcp.sysusers" "$to/lib/sysusers.d/vmcp.conf"
install -D -m 644 "$packaging/vmcp.tmpfiles" "$to/lib/tmpfiles.d/vmcp.conf"

completions=$to/share/bash-completion/completions
install -d "$to/lib/pkgconfig" "$completions"
for program in vmcp vmcp-launch; do
    "$build/bin/$program" completion bash >"$completions/$program"
done
sed -e "s|@PREFIX@|$prefix|; s|@VERSION@|$version|" "$packaging/libvmcp.pc.in" \
    >"$to/lib/pkgconfig/libvmcp.pc"
