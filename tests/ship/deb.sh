# deb.sh: the Debian package, built, linted, installed, run, upgraded, removed
# and purged on a machine that systemd boots.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
. "${0%/*}/../lib.sh"
. "$qt_root/tests/ship/machine"

need_machine
need dpkg-buildpackage dh lintian apt-get systemctl readelf
if ! grep -q cgroup2 /proc/mounts; then
	skip "no cgroup2"
	finish
fi
qt_of=package
machine disk
start() {
	boot /lib/systemd/systemd --unit=multi-user.target --log-target=console
	await 20 inside systemctl is-active multi-user.target
}
# Images for containers forbid services to start, and leave manual pages out.
boot sh -c 'rm -f /usr/sbin/policy-rc.d /etc/dpkg/dpkg.cfg.d/*'
off 10
start
version=$(sed -n 's/^VERSION = //p' "$qt_root/Makefile")
arch=$(dpkg --print-architecture)
packages=$disk/src/queuectl-deb
q1() { inside queuectl "$@"; }
ended_well() { q1 show --json "$1" | grep -q '"state":"completed"'; }
# unpacked PACKAGE: it is in ./PACKAGE.
unpacked() {
	rm -rf "$1"
	dpkg-deb -x "$packages/$1_$version-1_$arch.deb" "$1"
}
# traces: all files of ours, the source aside.
traces() { inside find / -xdev \( -path /src -o -path /proc -o -path /tmp \) \
    -prune -o \( -path '/usr/*' -o -path '/etc/*' -o -path '/var/*' \) \
    -name '*queuectl*' -print | grep -v '^/var/log/\|^/var/cache/man'; }
before=$(traces)

t "make deb"
run inside sh -c 'cd /src && make deb CFLAGS=-O0'
status 0
unpacked queuectl
unpacked queuectl-dbgsym

t "flags"
program=queuectl/usr/bin/queuectl
is "$($program --version)" "queuectl $version"
ok grep -q -- '-O2 .*-fstack-protector-strong .* -c -o queuectl.o' "$T/c/out"
no grep -q -- '-O0' "$T/c/out"
readelf -Wdhs $program >elf
ok grep -q 'Type: *DYN' elf
ok grep -q BIND_NOW elf
ok grep -q __stack_chk_fail elf
ok grep -q '__[a-z]*_chk@' elf
id=$(readelf -n $program | sed -n 's/.*Build ID: \(..\)\(.*\)/\1\/\2/p')
ok test -s "queuectl-dbgsym/usr/lib/debug/.build-id/$id.debug"

t "what is in it"
for f in lib/systemd/system/queuectl.service \
    lib/systemd/system/queuectl@.service usr/lib/systemd/user/queuectl.service \
    usr/lib/sysusers.d/queuectl.conf usr/lib/tmpfiles.d/queuectl.conf \
    etc/default/queuectl etc/logrotate.d/queuectl \
    usr/share/man/man1/queuectl.1.gz usr/share/man/man5/queuectl.5.gz \
    usr/share/bash-completion/completions/queuectl \
    usr/share/zsh/site-functions/_queuectl \
    usr/share/fish/vendor_completions.d/queuectl.fish \
    usr/share/doc/queuectl/copyright usr/share/doc/queuectl/README.Debian; do
	ok test -s "queuectl/$f"
done
is "$(grep -rl /usr/local queuectl/lib queuectl/usr/lib)" ""

t "lintian"
run inside su nobody -s /bin/sh -c \
    'cd /src/queuectl-deb &&
    HOME=/tmp lintian --fail-on error,warning *.changes'
status 0
out_is ""

t "the second of the two commands"
commands 'Debian, Ubuntu' >lines
is "$(wc -l <lines | tr -d ' ')" 2
is "$(head -n 1 lines)" "make deb"
cp "$packages/queuectl_$version-1_$arch.deb" old.deb
run inside sh -c "cd /src && $(sed -n 2p lines)"
status 0
is "$(q1 enqueue --id a -- id -un)" a
await 10 ended_well a
is "$(q1 logs a)" root
run q1 status --json
jis workers 2

t "a queue without root's rights"
run inside systemctl enable --now queuectl@queuectl
status 0
inside setpriv --reuid queuectl --regid queuectl --clear-groups \
    env HOME=/var/lib/queuectl queuectl enqueue --wait --id u -- id -un
is "$(find "$disk/var/lib/queuectl" -name u.log -exec cat {} +)" queuectl

t "an upgrade, with a job that runs, one that waits and a changed setting"
echo QUEUECTL_COUNT=3 >"$T/default"
inside sh -c 'cat >/etc/default/queuectl' <"$T/default"
q1 enqueue --id r --command ': >/srv/on; sleep 2; echo finished' >/dev/null
q1 enqueue --id d --delay 1d -- true >/dev/null
await 10 inside test -e /srv/on
run inside sh -c 'cd /src &&
    sed -i "s/^VERSION = .*/VERSION = 99.1/" Makefile && make deb'
status 0
run inside sh -c "dpkg -i /src/queuectl-deb/queuectl_99.1-1_$arch.deb"
status 0
is "$(q1 --version)" "queuectl 99.1"
await 10 ended_well r
is "$(q1 logs r)" finished
like "$(q1 show --json r)" '"attempts":1,'
await 10 q1 show d
run q1 status --json
jis workers 3
jis pending 1

t "a reboot"
q1 enqueue --id e --delay 2 -- true >/dev/null
inside systemctl poweroff
off 30
start
await 10 ended_well e

t "removed, the queue stays"
run inside dpkg -r queuectl
status 0
no inside test -e /usr/bin/queuectl
no inside systemctl is-active queuectl
ok inside test -e /var/spool/queuectl/ids/d
ok inside test -e /etc/default/queuectl

t "installed again, it goes on"
cp old.deb "$disk/root/srv/old.deb"
run inside dpkg -i /srv/old.deb
status 0
run q1 status --json
jis workers 3
jis pending 1

t "purged, jobs stay"
run inside dpkg -P queuectl
status 0
err_has "/var/spool/queuectl has jobs, and stays"
no inside test -e /etc/default/queuectl
ok inside test -e /var/spool/queuectl/ids/d

t "purged without jobs, nothing stays but a user's own"
run inside dpkg -i /srv/old.deb
status 0
q1 cancel d >/dev/null
q1 dlq purge d >/dev/null
inside rm -r /var/lib/queuectl
run inside systemctl disable --now queuectl@queuectl
run inside dpkg -P queuectl
status 0
is "$(traces)" "$before" "what is left"
inside systemctl poweroff
off 30
finish
