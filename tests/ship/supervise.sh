# supervise.sh: the service directory, on machines of runit and of s6.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
. "${0%/*}/../lib.sh"
. "$qt_root/tests/ship/machine"

need_machine

# tried NAME SCANNER START STOP: the process 1 is SCANNER.
tried() {
	qt_of=$1
	t "$1: the two commands"
	if ! command -v "${2%% *}" >/dev/null; then
		skip "no ${2%% *}"
		return
	fi
	machine "$1"
	settings
	scan="mkdir -p /etc/service; exec $2 /etc/service"
	boot sh -c "$scan"
	await 10 inside test -d /etc/service
	[ "$1" != s6 ] || await 10 inside test -p /etc/service/.s6-svscan/control
	two_commands "$1"
	serves "$3" "$4"
	t "$1: a reboot"
	lost
	boot sh -c "$scan"
	returns
	ok grep -q '3 workers on /srv/queue' "$disk/console"
	lost
}

tried runit 'runsvdir -P' 'sv start queuectl' 'sv -w 20 stop queuectl'
tried s6 s6-svscan 's6-svc -u /etc/service/queuectl' \
    's6-svc -wD -d /etc/service/queuectl'

finish
