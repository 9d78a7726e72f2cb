# init.sh: the script for small systems, on a machine that busybox init boots.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
. "${0%/*}/../lib.sh"
. "$qt_root/tests/ship/machine"

need_machine
need busybox
busybox --list | grep -qx init || {
	skip "a busybox without init"
	finish
}
qt_of="busybox init"
machine disk
settings

t "the lines for inittab"
sed -n 's/^#	\(::.*\)/\1/p' "$qt_root/contrib/queuectl.init" \
    >"$disk/etc/inittab"
is "$(wc -l <"$disk/etc/inittab" | tr -d ' ')" 2
script=/etc/init.d/S80queuectl

t "the two commands"
boot busybox init
two_commands 'busybox init and others'
serves "$script start" "$script stop"

t "usage"
run inside $script begin
status 2
err_has "start | stop | restart | status"

# the same, sooner
ok grep -q 'timeout 90 ' "$disk$script"
inside sed -i 's/timeout 90/timeout 1/' $script
inside $script start
gives_up "$script start" "$script stop" requeued
qin config set stop-grace 0.2

t "a reboot"
run inside $script restart
status 0
qin enqueue --id f --delay 1 -- true >/dev/null
run inside $script status
status 0
out_like '^POOL.*JOB$'
inside busybox poweroff
off 20
boot busybox init
returns
await 10 is_in f completed
ok grep -q 'stopped$' "$disk/root/srv/queue/worker.log"

# What Buildroot's own scripts do.
t "a reboot that ends a job"
qin enqueue --id g -- sh -c ': >/srv/g.on
    [ -e /srv/g.go ] || exec sleep 1000' >/dev/null
await 10 inside test -e /srv/g.on
: >"$disk/root/srv/g.go"
inside busybox poweroff
off 20
boot busybox init
await 10 is_in g completed
like "$(qin show --json g)" '"outcome":"requeued"'
inside busybox poweroff
off 20
finish
