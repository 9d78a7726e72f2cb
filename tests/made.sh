# made.sh: where a spool is made, and where it is not.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2154
. "${0%/*}/lib.sh"

# refused DIR: no command makes a spool of it, or changes anything in it.
refused() {
	before=$(cd "$1" && find . -exec ls -ld {} + && find . -type f -exec cat {} +)
	run q --spool "$PWD/$1" enqueue --id production -- echo mine
	status 1
	err_has "not empty and not a spool"
	for c in 'worker start --drain' 'config set sync none' 'fsck --repair' \
	    'purge' 'worker stop' 'list'; do
		# shellcheck disable=SC2086 # words
		run q --spool "$PWD/$1" $c
		status 1
	done
	is "$(cd "$1" && find . -exec ls -ld {} + && find . -type f -exec cat {} +)" \
	    "$before" "$1: nothing is changed"
}

t "a directory of an application"
mkdir -p app/log
echo x >app/log/production.log
chmod 755 app app/log
refused app

t "one empty directory of the name of ours"
mkdir -p empty/done
refused empty

t "a file that ls does not show"
mkdir hidden
: >hidden/.keep
refused hidden

t "six of eight directories"
mkdir six
(cd six && mkdir ids log 'done' dead failed workers)
refused six

t "an empty directory"
mkdir -m 700 new
run q --spool "$PWD/new" enqueue --id a -- true
status 0
no test -e new/queuectl.new

t "the root of a file system"
mkdir -m 700 root
mkdir root/lost+found
run q --spool "$PWD/root" enqueue --id a -- true
status 0

t "the making of a spool was cut short"
mkdir -m 700 cut
: >cut/queuectl.new
mkdir -m 700 cut/workers cut/log
: >cut/workers/.probe-1
run q --spool "$PWD/cut" enqueue --id a -- true
status 0
ok test -e "$(ls cut/pending/*-0-a)"
no test -e cut/queuectl.new

t "a spool whose pending/ was removed"
rm -r new/pending new/ids/a
run q --spool "$PWD/new" enqueue --id b -- true
status 0
ok test -e "$(ls new/pending/*-0-b)"

t "eight at once"
i=0
while [ $((i += 1)) -le 8 ]; do
	q --spool "$PWD/at/once" enqueue --id "n$i" -- true >>ids &
done
wait
is "$(sort -u ids | wc -l | tr -d ' ')" 8
is "$(ls at/once/pending | wc -l | tr -d ' ')" 8
no test -e at/once/queuectl.new

finish
