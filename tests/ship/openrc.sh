# openrc.sh: the service, on a machine that busybox init and OpenRC boot, as
# they do on Alpine.  Where OpenRC is not installed its packages do, and they
# are unpacked on that machine alone.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
. "${0%/*}/../lib.sh"
. "$qt_root/tests/ship/machine"

need_machine
need busybox
debs=/var/cache/apt/archives
if ! command -v /sbin/openrc >/dev/null && ! ls $debs/openrc_* >/dev/null 2>&1
then
	skip "no openrc, and no package of it in $debs"
	finish
fi
qt_of=OpenRC
machine disk
settings
cat >"$disk/etc/inittab" <<'.'
::sysinit:/sbin/openrc sysinit
::sysinit:/sbin/openrc boot
::wait:/sbin/openrc default
::shutdown:/sbin/openrc shutdown
.
boot sh -c "command -v openrc || dpkg --unpack --force-depends \
    $debs/libeinfo1_*.deb $debs/librc1_*.deb $debs/openrc_*.deb
rm -rf /etc/init.d/* /etc/runlevels/*
mkdir -p /etc/init.d /etc/runlevels/sysinit /etc/runlevels/boot \
    /etc/runlevels/default /etc/runlevels/shutdown
: >/etc/rc.conf
: >/etc/insserv.conf"
off 20
start() {
	boot busybox init
	await 20 inside test -e /run/openrc/softlevel
	await 20 runlevel
}
runlevel() { [ "$(inside rc-status -r)" = default ]; }

t "the two commands"
start
two_commands OpenRC
serves 'rc-service queuectl start' 'rc-service queuectl stop'

# the same, sooner
ok grep -qx 'retry=TERM/80/TERM/10/KILL/5' "$disk/etc/init.d/queuectl"
inside sed -i s,TERM/80/,TERM/2/, /etc/init.d/queuectl
inside rc-service queuectl start
gives_up 'rc-service queuectl start' 'rc-service queuectl stop' requeued
qin config set stop-grace 0.2
inside rc-service queuectl stop

t "a reboot"
inside rc-service queuectl start
run inside rc-service queuectl status
status 0
out_has started
inside busybox poweroff
off 30
start
returns
ok grep -q '3 workers on /srv/queue' "$disk/var/log/queuectl.log"
inside busybox poweroff
off 30
finish
