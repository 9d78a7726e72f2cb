# cgi.sh: the web page, by the environment of a CGI program.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2154,SC2164
. "${0%/*}/lib.sh"

# ask PATH [QUERY [NAME=VALUE...]]: what a server would run.
ask() {
	ask_path=$1 ask_query=${2-}
	shift
	[ $# = 0 ] || shift
	run env REQUEST_METHOD=GET SCRIPT_NAME=/q PATH_INFO="$ask_path" \
	    QUERY_STRING="$ask_query" HTTP_HOST=localhost:8080 "$@" \
	    "$QUEUECTL" cgi
}
# code N: the status of the answer.
code() {
	is "$(sed -n '1s/^Status: \([0-9]*\) .*/\1/p' "$T/c/out")" "$1" \
	    "the status of $ask_path?$ask_query"
}
# post FORM [NAME=VALUE...]: the form is sent to $to by one who may.
to=/
post() {
	form=$1 ask_path=$to ask_query=$1
	shift
	feed "$form" env REQUEST_METHOD=POST SCRIPT_NAME=/q PATH_INFO="$to" \
	    HTTP_HOST=localhost:8080 HTTP_ORIGIN=http://localhost:8080 \
	    AUTH_TYPE=Basic REMOTE_USER=ada CONTENT_LENGTH=${#form} \
	    CONTENT_TYPE=application/x-www-form-urlencoded "$@" \
	    "$QUEUECTL" cgi
}
body() { sed '1,/^.\{0,1\}$/d' "$T/c/out"; }

t "not from a server"
refused 2 "cgi is for HTTP servers; queuectl web starts one" q cgi

t "a form that does not come"
# it waits five seconds in all
mkfifo pipe
env REQUEST_METHOD=POST HTTP_HOST=localhost CONTENT_LENGTH=9 \
    CONTENT_TYPE=application/x-www-form-urlencoded "$QUEUECTL" cgi <>pipe >slow &
slow=$!

t "no spool"
ask /
code 503
err_has "there is no spool"
no test -e "$S"

t "an empty queue"
spool_init
ask /
status 0
code 200
out_has "There is no job."
out_has "No worker runs."
out_has "<title>overview - queuectl</title>"
out_has "content=5"
is "$(body | grep -c '<!DOCTYPE html>')" 1

t "the head of every answer"
q enqueue --id j1 -- true >/dev/null
for path in / /list /job/j1 /job/none /log/j1 /metrics /json /nothing; do
	ask $path
	out_like '^Content-Security-Policy: default-src .none.; '
	out_has "frame-ancestors 'none'"
	out_lacks "script-src"
	out_has "X-Content-Type-Options: nosniff"
	out_has "Cache-Control: no-store"
	is "$(sed -n '/Security/q; $d; p' "$T/c/out" | tail -n +2 | wc -l | tr -d ' ')" 1
	cp "$T/c/out" got
	ask $path '' REQUEST_METHOD=HEAD
	is "$(sed 1q "$T/c/out")" "$(sed 1q got)" "the status of HEAD $path"
	is "$(body | wc -c | tr -d ' ')" 0 "the body of HEAD $path"
done

t "what it shows"
q config set timeout 10m
q enqueue --id runs --timeout 600 -- sh -c 'echo one; echo the last line; exec sleep 60' >/dev/null
q enqueue --id dies --max-retries 1 -- sh -c 'echo why; exit 7' >/dev/null
q enqueue --id retries --backoff-base 3600 -- sh -c 'exit 9' >/dev/null
pool -c 1
await 10 in_state processing runs
ask /
out_like 'runs</a><span>for [0-9]+ s of 10m'
await 10 sh -c 'grep -q "the last line" "$1"/log/runs.log' sh "$S"
ask /
out_has "<small><code>the last line</code></small>"
out_has "1 of 1 worker"
out_lacks "No worker runs"
q pause
ask /
out_has "Paused: workers begin no job."
q resume
q cancel runs >/dev/null
await 10 in_state dead dies
await 10 in_state failed retries
stop_pool
q enqueue --id waits --after retries -- true >/dev/null
q enqueue --id blocked --after dies -- true >/dev/null
q enqueue --id held --hold -- true >/dev/null
q enqueue --id next --priority 2 -- true >/dev/null
ask /
out_like 'next</a><span>since [0-9]+ s, priority 2'
out_like 'retries</a><span>in (1 h|5[0-9] min) [0-9]+ (s|min), attempt 2 of 3: exit 9'
out_like 'dies</a><span>[0-9]+ s ago: <i class=dead>exit 7'
out_like 'j1</a><span>[0-9]+ s ago, took [0-9.]+ s'
out_has "1 blocked, 1 held"
out_has "<b>3</b><small>1 blocked"
out_has "4 attempts ever, 2 failed"
ask /json
is "$(body)" "$(q status --json)"
ask /metrics
is "$(body | sed '/oldest/d')" "$(q status --prometheus | sed '/oldest/d')"
out_has "Content-Type: text/plain; version=0.0.4"
ask /log/dies
is "$(body)" why
out_has "Content-Type: text/plain; charset=utf-8"
ask /job/blocked
out_has "waits for dies, which is dead"
out_has 'href="/q/job/dies"'
ask /job/dies
out_has "dead: exit 7"
portable || out_like '<td>exit 7<td>[0-9.]+ s user'
out_has "<pre class=box>why"
ask /job/die
out_has "dead: exit 7"
ask /log/die
out_has "why"
for path in /job /log; do
	ask $path/r
	code 404
	out_has "More than one"
done
ask /job/
code 404
ask /job/b0
code 404

t "the list, and its query"
ask /list
for id in j1 runs dies retries waits blocked held next; do
	out_has ">$id</a>"
done
ask /list state=dead
out_has ">dies</a>"
out_lacks ">next</a>"
ask /list 'state=pending,failed'
out_has ">next</a>"
out_has ">retries</a>"
out_lacks ">dies</a>"
ask /list 'state=DEAD,done'
out_has ">dies</a>"
out_has ">j1</a>"
out_lacks ">next</a>"
ask /list 'id=d*&still=1'
out_has ">dies</a>"
out_lacks ">next</a>"
out_lacks "content=5"
out_has 'value="d*"'
ask /list 'id=d*+next++%20reties%3f'
out_has ">dies</a>"
out_has ">next</a>"
out_lacks ">retries</a>"
ask /list 'id=+'
out_has ">retries</a>"
ask /list 'id=a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a'
code 400
ask /list "id=$(awk 'BEGIN { while (i++ < 1997) printf "x" }')"
code 200
ask /list 'id=%64ies'
out_has ">dies</a>"
ask /list 'since=1h&reverse=1'
out_has ">dies</a>"
for query in state=odd state=dead,odd 'state=dead,' state=,dead since=x from=-1 from=10001 from=x 'id=%0' 'id=%zz' \
    'id=%00' 'a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=0&k=1&l=2&m=3&n=4&o=5&p=6&q=7'; do
	ask /list "$query"
	code 400
done
ask /list "id=$(awk 'BEGIN { while (i++ < 2001) printf "x" }')"
code 414
awk 'BEGIN { while (i++ < 120) print "{\"command\":\"true\",\"id\":\"m" i "\",\"priority\":9}" }' |
    q enqueue - >/dev/null
ask /list 'state=pending&still=1'
out_has ">m40</a>"
out_lacks ">m60</a>"
out_has '/q/list?state=pending&amp;still=1&amp;from=50">more'
ask /list 'state=pending&from=50'
out_has ">m60</a>"
out_has '/q/list?state=pending">back'
out_has '/q/list?state=pending&amp;from=100">more'
ask /list 'state=pending&from=100'
out_lacks ">more"

t "names that are traps"
for path in /job/..%2f..%2fetc /job/../../etc/passwd /log/../config \
    /log/..%2fconfig /job/.hidden "/job/$(printf 'a\nb')" "/job/$(printf 'a\001')" \
    //job/dies /job/dies/ "/job/$(awk 'BEGIN { while (i++ < 999) printf "x" }')"; do
	ask "$path"
	code 404
done

t "values mean themselves"
q enqueue --id evil --priority 0 --max-retries 1 --env 'SECRET=xyzzy' \
    --cwd / -- sh -c 'printf "</pre><script>alert(1)</script>\n\033[1m\000&\377\n"; exit 1' \
    '"><img src=x onerror=alert(2)>' "$(printf '\302\205<u>')" >/dev/null
q enqueue '{"id":"input","command":"true","stdin":"plugh"}' >/dev/null
echo '<script>' >"$S/pending/5-20261124T053012.345678Z-0-planted"
: >"$S/pending/<script>"
q cancel retries >/dev/null
drain
for path in / /list /job/evil /job/planted /job/input; do
	ask "$path" 'id=&x="><script>'
	is "$(body | grep -c '<script\|<img\|<u>\|onerror=.alert(2)>')" 0 "marks in $path"
	is "$(body | grep -c 'xyzzy\|plugh')" 0 "secrets in $path"
	is "$(body | tr -d '\n' | LC_ALL=C tr -d '\011\040-\176\200-\377' | wc -c | tr -d ' ')" 0 \
	    "control characters in $path"
done
ask /job/evil
out_has '&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;'
out_has '\x1b[1m?&amp;\xff'
ask /list '' SCRIPT_NAME='/"><script>'
out_lacks '<script'
ask '/"><script>' ''
out_lacks '<script'

t "the path of the program"
for script in //evil.example/q ///evil.example/q; do
	ask /list '' SCRIPT_NAME=$script
	out_has 'href="/evil.example/q/list'
	out_lacks '"//'
done
for script in '' / // x x/y; do
	ask /list '' SCRIPT_NAME=$script
	out_has 'href="/list'
	out_lacks '"//'
done

t "the host"
for host in localhost localhost:80 127.0.0.1 127.9.9.9:8080 '[::1]' \
    '[::1]:8080' LocalHost "$(uname -n)"; do
	ask / '' HTTP_HOST="$host"
	code 200
done
for host in evil.example 127.evil.example 127.0.0.1.evil.example '[::2]' \
    localhost.evil x '[]'; do
	ask / '' HTTP_HOST="$host"
	code 403
	err_has "the setting web-hosts does not have the host $host"
	out_lacks dies
done
for host in '' 'a b' 'a"b' "$(printf 'a\nb')" 'a/b' '<x>' '[::1]x' \
    '[::1]x:80' '[::1' 'localhost:x' localhost:80:80 '[::1]]' \
    "$(awk 'BEGIN { while (i++ < 300) printf "x" }')"; do
	ask / '' HTTP_HOST="$host"
	code 400
done
q config set web-hosts 'queue.example, 10.0.0.1'
for host in queue.example QUEUE.example:99 10.0.0.1; do
	ask / '' HTTP_HOST="$host"
	code 200
done
ask / '' HTTP_HOST=localhost
code 403
q config unset web-hosts

t "methods"
for method in PUT DELETE OPTIONS get X; do
	ask / '' REQUEST_METHOD=$method
	code 405
	out_has "Allow: GET, HEAD, POST"
done

t "a change needs everything"
to=/job/dies
post 'action=retry&token=x'
code 403
out_has "queuectl config set web-actions yes"
ask /job/dies '' AUTH_TYPE=Basic REMOTE_USER=ada
out_lacks "<button"
q config set web-actions yes
token=$(cat "$S/web.token")
is "$(stat -c %a "$S/web.token")" 600
like "$token" '^[0-9a-f]{32}$'
ask /job/dies
out_lacks "$token"
out_lacks "<button"
post "action=retry&token=$token" REMOTE_USER=
code 403
out_has "password"
# nginx passes on a name that nobody has checked
ask /job/dies '' REMOTE_USER=eve
out_lacks "$token"
out_lacks "<button"
post "action=retry&token=$token" AUTH_TYPE=
code 403
out_has "password"
post "action=retry&token=${token%?}"
code 403
post "action=retry&token=${token%?}x"
code 403
post "action=retry"
code 403
for origin in '' null http://evil.example http://localhost http://localhost:8080.evil \
    http://evil.example/http://localhost:8080 localhost:8080 \
    ftp://localhost:8080 ://localhost:8080 http://http://localhost:8080 \
    http://eve@localhost:8080 http://localhost:8080/ \
    "$(printf 'http\r\nX-Evil: 1\r\nx://localhost:8080')"; do
	post "action=retry&token=$token" HTTP_ORIGIN="$origin"
	code 403
	out_lacks X-Evil
done
post "action=retry&token=$token" CONTENT_TYPE=text/plain
code 415
post "action=retry&token=$token" CONTENT_LENGTH=1000000
code 413
post "action=retry&token=$token" CONTENT_LENGTH=
code 413
post "action=retry&token=$token" CONTENT_LENGTH=1999
code 400
for action in enqueue purge 'dlq%20purge' '' retry%00; do
	post "action=$action&token=$token"
	code 400
done
is "$(where dies)" dead

t "changes"
ask /job/dies '' AUTH_TYPE=Basic REMOTE_USER=ada
out_has "<input type=hidden name=token value=\"$token\">"
out_has "value=retry>Retry</button>"
post "action=retry&token=$token&still=1"
code 303
out_like '^Location: http://localhost:8080/q/job/dies[?]still=1'
is "$(where dies)" pending
post "action=retry&token=$token"
code 409
out_has "in another state by now"
post "action=hold&token=$token"
code 303
is "$(where dies)" held
post "action=release&token=$token"
is "$(where dies)" pending
post "action=cancel&token=$token"
is "$(where dies)" dead
to=/job/die
post "action=retry&token=$token"
code 404
to=/
post "action=pause&token=$token" HTTP_ORIGIN=https://localhost:8080
code 303
out_like '^Location: https://localhost:8080/q.?$'
post "action=pause&token=$token"
code 303
out_like '^Location: http://localhost:8080/q.?$'
is "$(q config get paused)" yes
post "action=resume&token=$token"
is "$(q config get paused)" no
post "action=retry&token=$token"
code 400
q enqueue --id long --priority 0 -- sleep 60 >/dev/null
pool
await 10 in_state processing long
to=/job/long
post "action=cancel&token=$token"
code 303
await 10 in_state dead long
stop_pool

to=/job/planted
post "action=retry&token=$token"
code 409
out_has "The text of the job is damaged"

t "what the server's log says"
rm "$S/log/dies.log"
ln -s /etc/passwd "$S/log/dies.log"
ask /log/dies
code 503
err_has "its log is not a regular file"
out_lacks root:
ask /job/dies
code 200
out_lacks root:
rm "$S/log/dies.log"

t "the secret"
chmod 644 "$S/web.token"
to=/job/dies
post "action=retry&token=$token"
code 403
err_has "web.token: others may read it"
run q fsck
out_has "web.token: others may get at it"
chmod 600 "$S/web.token"
echo short >"$S/web.token"
post "action=retry&token=short"
code 403
err_has "damaged"
rm "$S/web.token"
ask / '' AUTH_TYPE=Basic REMOTE_USER=ada
code 200
ok test -s "$S/web.token"
no test "$(cat "$S/web.token")" = "$token"

t "output with carriage returns"
q enqueue --id bar --priority 0 -- sh -c \
    'printf "one\r\ntwo\r\n\r\n10%%\r20%%\r30%%\r"; exec sleep 60' >/dev/null
pool
await 10 in_state processing bar
await 10 sh -c 'grep -q 30 "$1"/log/bar.log' sh "$S"
ask /
out_has "<small><code>30%</code></small>"
ask /job/bar
out_has "<pre class=box>one${nl}two${nl}${nl}30%${nl}</pre>"
out_lacks '\x0d'
q cancel bar >/dev/null
stop_pool

t "many attempts"
q enqueue --id tries --max-retries 60 --backoff-base 0 -- false >/dev/null
drain
ask /job/tries
is "$(body | tr '>' '\n' | grep -c '^exit 1<td')" 50 "attempts on the page"
out_has "<h2>The latest attempts</h2>"
ask /job/dies
out_has "<h2>Attempts, the latest first</h2>"

t "a spool of another user"
if [ -n "$qt_root_user" ]; then
	chown 12345 "$S"
	ask /
	code 503
	err_has "it belongs to another user"
	chown 0 "$S"
else
	skip "a spool of another user: not root"
fi

t "a client that goes away"
sh -c 'env REQUEST_METHOD=GET PATH_INFO=/list HTTP_HOST=localhost "$0" cgi |
    head -c 20 >/dev/null' "$QUEUECTL"
run q fsck
is "$(grep -vc '<script>\|planted' "$T/c/out")" 0 "problems"

t "a job of megabytes"
awk 'BEGIN { c = sprintf("%c%c", 194, 133); while (length(c) < 60000) c = c c
    printf "{\"id\":\"large\",\"priority\":0,\"argv\":[\"true\""
    while (i++ < 40) printf ",\"%s\"", c
    print "]}" }' | q enqueue - >/dev/null
# bounded PATH: the page in 20 MB of address space.
bounded() {
	run sh -c 'ulimit -v 20000; exec env REQUEST_METHOD=GET PATH_INFO="$1" \
	    HTTP_HOST=localhost "$0" cgi' "$QUEUECTL" "$1"
}
bounded /json
if [ "$st" = 0 ]; then
	for path in / /list; do
		bounded $path
		out_like '>large</a>.*<code>true .*x85…</code>'
	done
	bounded /job/large
	out_like '<code>true .*x85…</code>'
	within "$(wc -c <"$T/c/out")" 8000 12000 "bytes of the page"
else
	skip "little memory: this build needs more"
fi
q cancel large >/dev/null

t "a thousand jobs"
awk 'BEGIN { while (i++ < 1000) print "{\"command\":\"echo a command of some length for a test " i "\"}" }' |
    q enqueue - >/dev/null
for path in / /list; do
	ask $path
	within "$(wc -c <"$T/c/out")" 1000 30000 "bytes of $path"
done

t "a form that does not come"
await 10 ended $slow
wait $slow
like "$(sed 1q slow)" '^Status: 408 Request Timeout'
finish
