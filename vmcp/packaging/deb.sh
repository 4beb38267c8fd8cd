#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make the Debian packages from what `make install` put below DEB/all: each package's files go to a
# folder of its own, and dpkg's tools do the rest.
#
# usage: deb.sh DEB VERSION        DEB/all is there; DEB/*.deb are made
set -eu

here=$(cd "$(dirname "$0")" && pwd)
deb=$1
version=$2
cd "$deb"

# The time of the last commit, so that a build can be repeated.
: "${SOURCE_DATE_EPOCH:=$(git -C "$here" log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH

# Move files of DEB/all into a package, to the same place.
take() {
    package=$1
    shift
    for path; do
        mkdir -p "$package/$(dirname "$path")"
        mv "all/$path" "$package/$path"
    done
}

# Install a file into a package: give PACKAGE SOURCE PATH [MODE]
give() {
    install -D -m "${4:-644}" "$2" "$1/$3"
}

# The control data, and the package itself.
build() {
    package=$1
    doc=$package/usr/share/doc/$package
    give "$package" debian/copyright "usr/share/doc/$package/copyright"
    gzip -9nc debian/changelog >"$doc/changelog.gz"
    chmod 644 "$doc/changelog.gz"
    programs=$(find "$package/usr/bin" -type f 2>/dev/null || true)
    : >debian/substvars
    if [ -n "$programs" ]; then
        # shellcheck disable=SC2086 # a list of paths without spaces
        strip --remove-section=.comment --remove-section=.note $programs
        # shellcheck disable=SC2086
        dpkg-shlibdeps --warnings=0 -Tdebian/substvars $programs
    fi
    find "$package/usr/share/man" -type f -exec gzip -9n {} + 2>/dev/null || true
    find "$package" -type d -exec chmod 755 {} +
    mkdir -p "$package/DEBIAN"
    for script in postinst prerm postrm; do
        [ ! -f "debian/$package.$script" ] ||
            install -m 755 "debian/$package.$script" "$package/DEBIAN/$script"
    done
    (cd "$package" && find etc -type f -printf '/%p\n' 2>/dev/null) >"$package/DEBIAN/conffiles" || true
    [ -s "$package/DEBIAN/conffiles" ] || rm "$package/DEBIAN/conffiles"
    (cd "$package" && find . -path ./DEBIAN -prune -o -path ./etc -prune -o -type f -printf '%P\0' |
        sort -z | xargs -0 md5sum) >"$package/DEBIAN/md5sums"
    dpkg-gencontrol -p"$package" -P"$package" -Tdebian/substvars -O >"$package/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$package" . >/dev/null
}

rm -rf debian vmcpd vmcp gce-emulator libvmcp-dev ./*.deb
cp -r "$here/debian" debian
cat >debian/changelog <<END
vmcp ($version) unstable; urgency=medium

  * See /usr/share/doc/vmcp/CHANGELOG.md.gz of the package vmcp.

 -- vmcp maintainers <maintainers@vmcp.example>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END

take vmcpd usr/bin/vmcpd usr/share/man/man8/vmcpd.8 usr/lib/systemd/system/vmcpd.service \
    usr/lib/systemd/system/vmcpd.socket usr/lib/sysusers.d/vmcp.conf usr/lib/tmpfiles.d/vmcp.conf
give vmcpd "$here/vmcpd.default" etc/default/vmcpd
give vmcpd "$here/vmcpd.logrotate" etc/logrotate.d/vmcpd
give vmcpd "$here/credentials.conf" usr/share/doc/vmcpd/examples/credentials.conf
give vmcpd "$here/devices.conf" usr/share/doc/vmcpd/examples/devices.conf
for page in docs/operations.md docs/security.md docs/protocol.md keys/README.md; do
    give vmcpd "$here/../../$page" "usr/share/doc/vmcpd/$page"
done

take vmcp usr/bin/vmcp usr/bin/vmcp-launch usr/share/man/man1/vmcp.1 \
    usr/share/man/man1/vmcp-launch.1 usr/lib/systemd/system/vmcp-launch-schedule.service \
    usr/share/bash-completion/completions/vmcp \
    usr/share/bash-completion/completions/vmcp-launch
give vmcp "$here/../../CHANGELOG.md" usr/share/doc/vmcp/CHANGELOG.md
gzip -9n vmcp/usr/share/doc/vmcp/CHANGELOG.md

take gce-emulator usr/bin/gce-emulator usr/share/man/man1/gce-emulator.1

take libvmcp-dev usr/lib/libvmcp.a usr/include/vmcp usr/lib/pkgconfig/libvmcp.pc
strip --strip-debug libvmcp-dev/usr/lib/libvmcp.a

if [ -n "$(find all -type f)" ]; then
    echo "deb.sh: no package takes these:" >&2
    find all -type f >&2
    exit 1
fi
for package in vmcpd vmcp gce-emulator libvmcp-dev; do
    build "$package"
done
ls ./*.deb
