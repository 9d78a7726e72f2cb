# alpine.sh: the package for Alpine, as far as that goes without abuild: its
# functions are run in its place, with Alpine's libc and flags.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
. "${0%/*}/../lib.sh"

mkdir src
(cd "$qt_root" && tar -cf - --exclude .git --exclude ./queuectl \
    --exclude './queuectl-*' .) | (cd src && tar -xf -)

t "make alpine"
run make -s -C src alpine
status 0
version=$(sed -n 's/^VERSION = //p' src/Makefile)
cd src/queuectl-alpine || exit 1
is "$(ls)" "APKBUILD${nl}queuectl-$version.tar.gz"

t "it is sh"
ok sh -n APKBUILD
if command -v shellcheck >/dev/null; then
	run shellcheck -s sh APKBUILD
	status 0
	out_is ""
else
	skip "no shellcheck"
fi

# in_abuild LINE...: what abuild does around these lines.
in_abuild() {
	printf '%s\n' 'set -e; startdir=$PWD srcdir=$PWD/src pkgdir=$PWD/pkg' \
	    '. ./APKBUILD' "$@" >abuild
	env CC="$cc" CFLAGS="-Os -fstack-clash-protection $format" \
	    LDFLAGS=-Wl,--as-needed MAKEFLAGS=-j2 sh abuild
}
format='-Wformat -Werror=format-security'
cc=cc
command -v musl-gcc >/dev/null && cc=musl-gcc

t "the variables"
is "$(in_abuild 'echo $pkgname $pkgver-r$pkgrel $license $arch')" \
    "queuectl $version-r0 MIT all"
for v in pkgdesc url source subpackages builddir sha512sums; do
	ok test -n "$(in_abuild "echo \"\$$v\"")"
done

t "the checksum, build and package"
run in_abuild 'printf "%s" "$sha512sums" | sed "/^$/d" | sha512sum -c' \
    'mkdir -p "$srcdir" "$pkgdir"' \
    'for s in $source; do tar -xzf "$s" -C "$srcdir"; done' \
    'cd "$builddir"' build package
status 0
out_has ".tar.gz: OK"
out_has "$cc -std=c11"
out_has "-Os -fstack-clash-protection"
out_has "-Wl,--as-needed"
is "$(cd pkg && find . -type f | sort)" "./etc/default/queuectl
./etc/init.d/queuectl
./usr/bin/queuectl
./usr/share/bash-completion/completions/queuectl
./usr/share/fish/vendor_completions.d/queuectl.fish
./usr/share/licenses/queuectl/LICENSE
./usr/share/man/man1/queuectl.1
./usr/share/man/man5/queuectl.5
./usr/share/zsh/site-functions/_queuectl" files
ok grep -qx 'command=/usr/bin/queuectl' pkg/etc/init.d/queuectl
for f in pkg/etc/init.d/queuectl pkg/usr/bin/queuectl; do
	ok test -x $f
done
if [ $cc = musl-gcc ] && [ ! -e /lib/ld-musl-"$(uname -m)".so.1 ]; then
	skip "no musl to run the program"
else
	is "$(pkg/usr/bin/queuectl --version)" "queuectl $version"
fi
finish
