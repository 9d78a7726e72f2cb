# openwrt.sh: the package for OpenWrt, as far as that goes without its SDK: the
# two make files below stand in for what the package takes from it.  As there,
# the flags come in the environment and the compiler as an argument.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
. "${0%/*}/../lib.sh"

make --version 2>/dev/null | grep -q GNU || {
	skip "no GNU make"
	finish
}
mkdir src
(cd "$qt_root" && tar -cf - --exclude .git --exclude ./queuectl \
    --exclude './queuectl-*' .) | (cd src && tar -xf -)

t "make openwrt"
run make -s -C src openwrt
status 0
version=$(sed -n 's/^VERSION = //p' src/Makefile)
is "$(ls src/queuectl-openwrt)" "Makefile${nl}src"

mkdir -p sdk/include sdk/package
mv src/queuectl-openwrt sdk/package/queuectl
cat >sdk/rules.mk <<'.'
INCLUDE_DIR := $(TOPDIR)/include
CP := cp -fpR
INSTALL_DIR := install -d -m0755
INSTALL_BIN := install -m0755
TARGET_CFLAGS := -Os -pipe -fno-caller-saves
TARGET_CPPFLAGS := -I$(TOPDIR)/staging/usr/include
TARGET_LDFLAGS := -Wl,-z,now
.
cat >sdk/include/package.mk <<'.'
PKG_BUILD_DIR := $(TOPDIR)/build/$(PKG_NAME)-$(PKG_VERSION)
MAKE_VARS = CFLAGS="$(TARGET_CFLAGS) $(TARGET_CPPFLAGS)" \
	LDFLAGS="$(TARGET_LDFLAGS)"
MAKE_FLAGS = CC="$(TARGET_CC)" ARCH="x" CROSS=""
define Build/Compile
	+$(MAKE_VARS) $(MAKE) -C $(PKG_BUILD_DIR) $(MAKE_FLAGS);
endef
define BuildPackage
$(foreach v,SECTION CATEGORY TITLE,$(if $(findstring $(v):=,\
	$(Package/$(1))),,$(error Package/$(1) lacks $(v))))
compile:
	rm -rf $(PKG_BUILD_DIR) && mkdir -p $(PKG_BUILD_DIR)
	$(Build/Prepare)
	$(Build/Compile)
	$(call Package/$(1)/install,$(TOPDIR)/ipkg)
	printf '%s\n' $(strip $(Package/$(1)/conffiles)) >$(TOPDIR)/conffiles
endef
.

t "it is built"
cc=cc
command -v musl-gcc >/dev/null && cc=musl-gcc
unset MAKEFLAGS MFLAGS MAKELEVEL
run make -C sdk/package/queuectl TOPDIR="$PWD/sdk" TARGET_CC=$cc compile
status 0
out_like "^$cc -std=c11 .*-I$PWD/sdk/staging.*-Os -pipe -fno-caller-saves -c"
out_like "^$cc -pthread -Os .*-Wl,-z,now -o queuectl"
out_lacks " -O2 "
ok test -d "sdk/build/queuectl-$version"
is "$(cd sdk/ipkg && find . -type f | sort)" "./etc/default/queuectl
./etc/init.d/queuectl
./usr/bin/queuectl" files
is "$(cat sdk/conffiles)" "/etc/default/queuectl$nl/srv/queuectl/"
ok grep -q '/usr/bin/queuectl ' sdk/ipkg/etc/init.d/queuectl
ok test -x sdk/ipkg/etc/init.d/queuectl
if [ $cc = musl-gcc ] && [ ! -e /lib/ld-musl-"$(uname -m)".so.1 ]; then
	skip "no musl to run the program"
else
	is "$(sdk/ipkg/usr/bin/queuectl --version)" "queuectl $version"
fi

t "the script is sh"
ok sh -n sdk/ipkg/etc/init.d/queuectl
if command -v shellcheck >/dev/null; then
	run shellcheck -s sh sdk/ipkg/etc/init.d/queuectl
	status 0
else
	skip "no shellcheck"
fi
finish
