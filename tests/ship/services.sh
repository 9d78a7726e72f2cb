# services.sh: make install-MANAGER and make uninstall-MANAGER, of all managers.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
. "${0%/*}/../lib.sh"

d="$T/dest  dir's"
services() { make -s -C "$qt_root" "$1" DESTDIR="$d" PREFIX=/usr; }
# installed: mode and name of what is there.
installed() { (cd "$d" && find . -type f -exec ls -l {} + |
    sed 's/ .* \.\// /' | sort -k 2); }
settings='-rw-r--r-- etc/default/queuectl'

# tried MANAGER LINES: it installs these files, beside the settings.
tried() {
	t "$1"
	rm -rf "$d"
	mkdir "$d"
	(umask 077; services "install-$1") >"$T/c/out" 2>&1
	is $? 0 "status of make: $(cat "$T/c/out")"
	is "$(installed)" "$settings$nl$2" "files of $1"
	is "$(grep -rl /usr/local "$d")" "" "files that name /usr/local"
	is "$(grep -rl /usr/bin/queuectl "$d" | wc -l)" \
	    "$(echo "$2" | wc -l)" "files that name the program"
	echo QUEUECTL_COUNT=9 >"$d/etc/default/queuectl"
	services "install-$1"
	is "$(cat "$d/etc/default/queuectl")" QUEUECTL_COUNT=9
	services "uninstall-$1"
	is "$(installed)" "$settings" "files left"
}
tried systemd "-rw-r--r-- etc/systemd/system/queuectl.service
-rw-r--r-- etc/systemd/system/queuectl@.service
-rw-r--r-- etc/systemd/user/queuectl.service"
tried openrc '-rwxr-xr-x etc/init.d/queuectl'
tried runit '-rwxr-xr-x etc/sv/queuectl/run'
tried s6 '-rwxr-xr-x etc/sv/queuectl/run'
tried init '-rwxr-xr-x etc/init.d/S80queuectl'
tried procd '-rwxr-xr-x etc/init.d/queuectl'

t "another place"
rm -rf "$d"
make -s -C "$qt_root" install-runit install-openrc DESTDIR="$d" ETC=/usr/etc \
    SVDIR=/srv/sv
is "$(installed)" "-rwxr-xr-x srv/sv/queuectl/run
-rw-r--r-- usr/etc/default/queuectl
-rwxr-xr-x usr/etc/init.d/queuectl"

t "another manager"
run env DESTDIR="$d" ETC=/etc BINDIR=/usr/bin \
    sh "$qt_root/contrib/service" install-launchd
status 2
err_has "MANAGER is systemd, openrc, runit, s6, init or procd"

t "all of them are sh, and read the settings"
for f in openrc run init procd; do
	ok sh -n "$qt_root/contrib/queuectl.$f"
	ok grep -q '\. /etc/default/queuectl' "$qt_root/contrib/queuectl.$f"
done
finish
