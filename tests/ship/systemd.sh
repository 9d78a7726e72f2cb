# systemd.sh: the units, on a machine that systemd boots.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
. "${0%/*}/../lib.sh"
. "$qt_root/tests/ship/machine"

need systemd-analyze
mkdir units run
make -s -C "$qt_root" install install-systemd DESTDIR="$T/d" PREFIX="$T/p" \
    >/dev/null
for u in system/queuectl.service system/queuectl@.service \
    user/queuectl.service; do
	t "systemd-analyze verify $u"
	ok grep -q "^ExecStart=$T/p/bin/queuectl " "$T/d/etc/systemd/$u"
	# The program is where DESTDIR has put it.
	sed "s,^ExecStart=$T/p,ExecStart=$T/d$T/p," "$T/d/etc/systemd/$u" \
	    >"units/${u##*/}"
	run env XDG_RUNTIME_DIR="$PWD/run" systemd-analyze "--${u%%/*}" \
	    --man=no verify "./units/${u##*/}"
	status 0
	err_is ""
done

t "uninstall"
make -s -C "$qt_root" uninstall uninstall-systemd DESTDIR="$T/d" \
    PREFIX="$T/p" >/dev/null
is "$(find "$T/d" -type f)" "$T/d/etc/default/queuectl" "files left"

need_machine
need systemctl
if ! grep -q cgroup2 /proc/mounts; then
	skip "no cgroup2"
	finish
fi
qt_of=systemd
machine disk
settings
# start: boots as systemd does.
start() {
	boot /lib/systemd/systemd --unit=multi-user.target --log-target=console
	await 20 inside systemctl is-active multi-user.target
}
stop() {
	inside systemctl poweroff
	off 30
}

t "the two commands"
start
two_commands systemd
serves 'systemctl start queuectl' 'systemctl stop queuectl'

# the same, sooner
inside sed -i s/TimeoutStopSec=90/TimeoutStopSec=1/ \
    /etc/systemd/system/queuectl.service
inside systemctl daemon-reload
inside systemctl start queuectl
gives_up 'systemctl start queuectl' 'systemctl stop queuectl' lost
qin config set stop-grace 0.2
inside systemctl stop queuectl

t "it tells systemd how it is"
inside systemctl start queuectl
run inside systemctl show -P StatusText queuectl
out_is "3 workers"
inside systemctl stop queuectl
run inside journalctl -u queuectl
out_has "[queuectl] 3 workers on /srv/queue"

t "the queue of a user, by root"
inside useradd -m bob
run inside systemctl enable --now queuectl@bob
status 0
as bob 'queuectl enqueue --id u -- id -un' >/dev/null
await 10 as bob 'queuectl logs u | grep bob'

t "the queue of a user, by the user"
inside useradd -m eve
# as if eve had logged in
inside loginctl enable-linger eve
await 10 as eve 'systemctl --user is-system-running'
commands 'systemd, without root' >lines
is "$(wc -l <lines | tr -d ' ')" 2
run as eve "mkdir -p .config; echo QUEUECTL_COUNT=1 >.config/queuectl;
    $(sed -n 1p lines)"
status 0
is "$(sed -n 2p lines)" "loginctl enable-linger"
as eve 'queuectl enqueue --id u -- id -un' >/dev/null
await 10 as eve 'queuectl logs u | grep eve'
run as eve 'queuectl status --json'
jis workers 1

t "a reboot"
stop
start
returns
for u in bob eve; do
	as $u 'queuectl enqueue --id v -- id -un' >/dev/null
	await 10 as $u "queuectl logs v | grep $u"
done

t "the power fails"
qin enqueue --id p -- sh -c ': >/srv/p; [ $QUEUECTL_ATTEMPT = 2 ] ||
    [ -e /srv/q ] || sleep 1000' >/dev/null
await 10 inside test -e /srv/p
: >"$disk/root/srv/q"
lost
start
await 10 is_in p completed
stop
finish
