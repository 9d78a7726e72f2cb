# torture.sh: the kill storm of tests/torture/torture, for some seconds.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2154
. "${0%/*}/lib.sh"

t "a short storm"
run sh "$qt_root/tests/torture/torture" "${TORTURE_SECONDS:-5}"
if [ "$st" = 77 ]; then
	skip "the kill storm: ${err#torture: cannot be tried: }"
else
	status 0
	[ "$st" = 0 ] || {
		cat "$T/c/out"
		tail -n 60 "$T/c/err"
	} >&2
	# Each count that must be 0 is one.
	is "$(grep -c 'must be 0$' "$T/c/out")" 18 "counts that must be 0"
	is "$(grep 'must be 0$' "$T/c/out" | grep -v ' 0   must')" ""
	jobs=$(awk '/^jobs acknowledged/ { print $NF }' "$T/c/out")
	within "$jobs" 20 1000 "jobs acknowledged"
fi

finish
