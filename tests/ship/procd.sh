# procd.sh: the service for OpenWrt, without OpenWrt: rc.common and procd are a
# page of shell here, and /var is empty after a reboot.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
. "${0%/*}/../lib.sh"
. "$qt_root/tests/ship/machine"

need_machine
need busybox
qt_of=procd
machine disk
settings
start() {
	boot sh -c 'mount -t tmpfs tmpfs /var
	    for s in /etc/rc.d/S*; do [ ! -e "$s" ] || "$s" start; done
	    exec busybox init'
	# Until then /tmp/pid may be that of the last boot.
	await 10 grep -qx busybox "/proc/$init/comm"
}
stop() {
	inside sh -c 'for s in /etc/rc.d/K*; do "$s" stop; done'
	inside busybox poweroff
	off 20
}
cat >"$disk/etc/rc.common" <<'END'
#!/bin/busybox sh
# What procd does with one instance of a service.
script=$(readlink -f "$1")
procd_open_instance() { param=; env=; }
procd_set_param() {
	case $1 in
	command) shift; command=$*; param="$param command" ;;
	env) shift; env=$*; param="$param env" ;;
	respawn | stderr | term_timeout) param="$param $1=${2-}" ;;
	*) echo "procd_set_param $1?" >&2; exit 1 ;;
	esac
}
procd_close_instance() {
	echo "$param" >/tmp/param
	env $env $command </dev/null >/dev/null 2>>/tmp/log &
	echo $! >/tmp/pid
}
. "$script"
[ "$USE_PROCD" = 1 ] || exit 1
case $2 in
enable)
	mkdir -p /etc/rc.d
	ln -sf "$script" "/etc/rc.d/S$START${script##*/}"
	ln -sf "$script" "/etc/rc.d/K$STOP${script##*/}"
	;;
start) start_service ;;
stop)
	kill -TERM "$(cat /tmp/pid)"
	while [ -d "/proc/$(cat /tmp/pid)" ]; do sleep 0.05; done
	;;
esac
END
chmod 755 "$disk/etc/rc.common"

t "installed and enabled"
: >"$disk/etc/inittab"
start
run inside sh -c 'cd /src && make install install-procd &&
    /etc/init.d/queuectl enable && /etc/init.d/queuectl start'
status 0
is "$(inside cat /tmp/param)" \
    " command env respawn= stderr=1 term_timeout=90"
serves '/etc/init.d/queuectl start' '/etc/init.d/queuectl stop'

t "a reboot"
inside /etc/init.d/queuectl start
stop
start
returns

t "commands find the spool"
is "$(inside readlink /var/spool/queuectl)" /srv/queue
run inside queuectl status --json
jis workers 3
inside queuectl enqueue --id h -- true >/dev/null
await 10 is_in h completed
stop

t "without settings"
rm "$disk/etc/default/queuectl"
start
await 10 inside test -d /srv/queuectl/pending
await 10 inside sh -c 'queuectl status | grep -q "^workers *1$"'
is "$(inside queuectl enqueue --id i -- true)" i
await 10 inside sh -c 'queuectl show i | grep -q completed'
ok inside test -e /srv/queuectl/ids/i
stop

t "a directory that is there stays"
start
inside sh -c '/etc/init.d/queuectl stop; rm /var/spool/queuectl
    mkdir /var/spool/queuectl; /etc/init.d/queuectl start'
no inside test -L /var/spool/queuectl
lost
finish
