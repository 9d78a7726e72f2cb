# release.sh: what a release ships is whole, runs, and is the same wherever it is
# built.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2154,SC2164
. "${0%/*}/../lib.sh"

top=$qt_root
machines=
for m in x86_64:musl-gcc:true aarch64:aarch64-linux-gnu-gcc:qemu-aarch64-static \
    armv7:arm-linux-gnueabihf-gcc:qemu-arm-static \
    mips:mips-linux-gnu-gcc:qemu-mips-static \
    riscv64:riscv64-linux-gnu-gcc:qemu-riscv64-static; do
	cc=${m#*:}
	if command -v "${cc%:*}" >/dev/null && command -v "${cc#*:}" >/dev/null; then
		machines="$machines ${m%%:*}"
	else
		skip "a release for ${m%%:*}: no $(echo "$cc" | sed 's/:/ or no /')"
	fi
done
unset MAKEFLAGS MFLAGS MAKELEVEL
version=$(sed -n 's/^VERSION = //p' "$top/Makefile")

t "the version, and its day"
is "$("$QUEUECTL" --version)" "queuectl $version"
day=$(sed -n 's/^RELEASED = //p' "$top/Makefile")
is "$(sed -n 's/^## //p' "$top/CHANGELOG.md" | sed 1q)" "$version ($day)"

t "a machine without a compiler"
mkdir none && (cd "$top" && tar -cf - Makefile contrib/release) | tar -xf - -C none
mkdir none/bin && for c in sh sed rm mkdir mv true; do
	ln -s "$(command -v $c)" none/bin/
done
printf '#!/bin/sh\n>queuectl-%s.tar.gz\n' "$version" >none/bin/make
chmod 755 none/bin/make
run env PATH="$PWD/none/bin" MACHINES=mips sh none/contrib/release
status 1
err_has "release: there is no mips-linux-gnu-gcc for mips"

t "two builds"
if [ -z "$machines" ]; then
	skip "a release: no compiler"
	finish
fi
for place in one "two"; do
	mkdir "$place"
	(cd "$top" && tar -cf - --exclude .git --exclude 'queuectl-*' \
	    --exclude '*.o' .) | tar -xf - -C "$place"
	(
		cd "$place" || exit 1
		[ $place = one ] || { umask 077; TZ=Asia/Tokyo; export TZ; }
		MACHINES=$machines make -s release
	) >"$place.out" 2>"$place.err"
	is $? 0 "status of make release in $place"
	is "$(grep -c ' a job' "$place.out")" "$(echo "$machines" | wc -w | tr -d ' ')" \
	    "binaries that ran"
done
same one/queuectl-release/SHA256SUMS two/queuectl-release/SHA256SUMS
cd one/queuectl-release || exit 1
ok sha256sum -c SHA256SUMS
is "$(wc -l <SHA256SUMS | tr -d ' ')" $(($(echo "$machines" | wc -w) + 1)) "files"

t "the source of the release builds"
mkdir "$T/src" && tar -xzf "queuectl-$version.tar.gz" -C "$T/src"
ok make -s -C "$T/src/queuectl-$version" CFLAGS=-O0
is "$("$T/src/queuectl-$version/queuectl" --version)" "queuectl $version"
finish
