# web.sh: the web page by real servers, and in a real browser.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2154,SC2164
. "${0%/*}/lib.sh"

t "wrong words"
spool_init
refused 2 "not ADDRESS:PORT: x; for example 127.0.0.1:8080" q web x
for place in 127.0.0.1 :80 127.0.0.1:0 127.0.0.1:65536 '[::1]' ::1:80 \
    127.0.0.1.1:80 '[::g]:80' host.example:80; do
	refused 2 "not ADDRESS:PORT: $place" q web "$place"
done
for place in 0.0.0.0:8080 10.0.0.1:80 '[::]:80' '[fe80::1]:80'; do
	refused 2 "can be reached from other hosts, so --password-file FILE" \
	    q web "$place"
done
echo 'no colon' >pw
refused 1 "pw: line 1: each line must be USER:PASSWORD" q web --password-file pw
for line in ada: :secret 'ada'; do
	echo "$line" >pw
	refused 1 "pw: line 1: each line must be USER:PASSWORD" q web --password-file pw
done
# busybox httpd takes "ada:#x" for no password, and a long line for two
for line in 'ada:#secret' 'ada:se#cret' 'ada:two words' 'two words:x' \
    "ada:$(printf 'a\tb')" "ada:$(awk 'BEGIN { while (i++ < 147) printf "x" }')" \
    "ada:$(awk 'BEGIN { while (i++ < 600) printf "x" }')"; do
	printf 'bob:x\n%s\n' "$line" >pw
	refused 1 "pw: line 2: busybox httpd -m PASSWORD must encrypt it" \
	    q web --password-file pw
done
echo '# nobody' >pw
refused 1 "pw: it has no line USER:PASSWORD" q web --password-file pw
refused 1 "none: No such file" q web --password-file none

t "no busybox httpd"
mkdir empty
for tool in sh sed; do
	ln -s "$(command -v $tool)" empty/
done
refused 1 "there is no busybox httpd; queuectl(1), THE WEB PAGE, has" \
    env PATH="$PWD/empty" "$QUEUECTL" web "127.0.0.1:$((20000 + $$ % 20000))"

if ! command -v curl >/dev/null; then
	skip "the page by a server: no curl"
	finish
fi
if ! busybox httpd --help >/dev/null 2>&1; then
	skip "the page by a server: no busybox httpd"
	finish
fi
t "no room for the server's files"
refused 1 ": No such file or directory; set TMPDIR to" \
    env TMPDIR="$PWD/none" "$QUEUECTL" web "127.0.0.1:$((20000 + $$ % 20000))"
mkdir noexec
if mount -t tmpfs -o noexec none noexec 2>mount.err; then
	refused 1 ": Permission denied; set TMPDIR to a directory where programs" \
	    env TMPDIR="$PWD/noexec" "$QUEUECTL" web \
	    "127.0.0.1:$((20000 + $$ % 20000))"
	is "$(ls noexec)" ''
	umount noexec
else
	skip "a file system without programs: mount is denied"
fi

port=$((20000 + $$ % 20000))
# server CMD...: a server on $port.  until it listens; its pid is in $server.
server() {
	port=$((port + 1))
	url=http://127.0.0.1:$port
	"$@" >server.out 2>server.err &
	server=$!
	await 10 curl -s -o none $url/
}
stop_server() {
	kill $server
	await 10 ended $server
	wait $server
}
get() { run curl -s -m 10 "$@"; }
# code N URL...: the status of the answer.
code() {
	want=$1
	shift
	is "$(curl -s -m 10 -o none -w '%{http_code}' "$@")" "$want" "$*"
}
q enqueue --id j1 -- sh -c 'echo "<b>&"' >/dev/null
q enqueue --id dies --max-retries 1 -- false >/dev/null
drain

t "busybox httpd, started by web"
server sh -c 'exec "$0" web 127.0.0.1:$1' "$QUEUECTL" $((port + 1))
is "$(cat server.out)" "$url/"
get $url/
out_has "cgi-bin/queuectl"
page=$url/cgi-bin/queuectl
get $page
out_has ">j1</a>"
out_has 'href="/cgi-bin/queuectl/job/j1"'
get $page/log/j1
out_is "<b>&"
get -I $page
out_has "200 OK"
out_has "Content-Security-Policy"
get "$page/list?state=dead"
out_has ">dies</a>"
out_lacks ">j1</a>"
code 404 $page/job/none
code 403 -H 'Host: evil.example' $page
code 404 --path-as-is "$page/job/..%2f..%2fconfig"
code 403 -d 'action=pause' $page
code 404 $page/job/%00
head -c 1000000 /dev/zero | tr '\0' x >big
for i in 1 2 3 4 5 6 7 8; do
	code 413 --data-binary @big $page
done
get $page/metrics
out_has 'queuectl_jobs{state="dead"} 1'
refused 1 "cannot listen on 127.0.0.1:$port: Address" q web 127.0.0.1:$port
run q web 127.0.0.1:$port
err_has "; name another port, as in queuectl web 127.0.0.1:8090"
is "$(ls "$T/tmp" | wc -l)" 1 "directories of servers"
stop_server
await 10 test ! -e "$T/tmp/queuectl-web"*
server sh -c 'exec "$0" web 127.0.0.1:$1' "$QUEUECTL" $((port + 1))
kill -9 $server
wait $server 2>wait.err
await 10 sh -c 'test "$(ls "$0")" = ""' "$T/tmp"

server sh -c 'exec "$0" web localhost:$1' "$QUEUECTL" $((port + 1))
is "$(cat server.out)" "$url/"
stop_server
q config set web-hosts queue.example
server sh -c 'exec "$0" web 127.0.0.1:$1' "$QUEUECTL" $((port + 1))
is "$(cat server.err)" "queuectl: the setting web-hosts does not have this host; to allow it: queuectl config set web-hosts 'queue.example 127.0.0.1'"
code 403 $url/cgi-bin/queuectl
stop_server
q config unset web-hosts

t "the terminal goes away"
if ${CC:-cc} -o "$T/pty" "$qt_root/tests/pty/pty.c" 2>cc.err; then
	mkfifo keys
	port=$((port + 1)) url=http://127.0.0.1:$((port))
	"$T/pty" 20 60 "$QUEUECTL" web 127.0.0.1:$port <>keys >screen 2>said &
	pty=$!
	await 10 curl -s -o none $url/
	kill -9 $pty
	wait $pty 2>wait.err
	await 10 test ! -e "$T/tmp/queuectl-web"*
	no curl -s -o none $url/
else
	fail "a program" "$(cat cc.err)"
fi

t "with passwords"
printf '# two\nada:lovelace\r\n\nbob:%s\n' "$(busybox httpd -m '#se cret')" >pw
server sh -c 'exec "$0" web --password-file pw 0.0.0.0:$1' "$QUEUECTL" $((port + 1))
err=$(cat server.err)
like "$err" "queuectl config set web-hosts 'NAME ADDRESS'"
is "$(cat server.out)" "http://localhost:$port/"
page=$url/cgi-bin/queuectl
code 401 $page
code 401 $url/
code 401 -u ada:byron $page
code 200 -u ada:lovelace $page
code 200 -u 'bob:#se cret' $page
code 401 -u bob: $page
q config set web-actions yes
token=$(cat "$S/web.token")
get -u ada:lovelace $page/job/dies
out_has "value=retry>Retry</button>"
code 403 -u ada:lovelace -d "action=retry&token=$token" $page/job/dies
code 403 -u ada:lovelace -H "Origin: http://evil" -d "action=retry&token=$token" \
    $page/job/dies
is "$(where dies)" dead
code 303 -u ada:lovelace -H "Origin: $url" -d "action=retry&token=$token" \
    $page/job/dies
is "$(where dies)" pending

t "a browser"
browser=
for b in chromium chromium-browser google-chrome; do
	[ -n "$browser" ] || ! command -v $b >/dev/null || browser=$b
done
# browse ARG...: the browser, as someone who has just installed it.
browse() {
	mkdir -p "$T/browser"
	HOME=$T/browser timeout 60 "$browser" --headless --no-sandbox \
	    --disable-gpu --hide-scrollbars --user-data-dir="$T/browser" \
	    --enable-logging=stderr "$@" >browser.out 2>browser.err </dev/null
}
# shot FILE SIZE URL [ARG...]
shot() {
	shot_file=$1 shot_size=$2 shot_url=$3
	shift 3
	browse --window-size="$shot_size" --screenshot="$PWD/$shot_file" "$@" \
	    "$shot_url"
	is "$(grep -c ':CONSOLE' browser.err)" 0 "complaints about $shot_url"
}
size() { wc -c <"$1" | tr -d ' '; }
if [ -z "$browser" ]; then
	skip "no browser"
elif ! browse --dump-dom about:blank; then
	skip "the browser does not run here"
else
	as=http://ada:lovelace@127.0.0.1:$port/cgi-bin/queuectl
	browse --dump-dom "$as?still=1"
	ok grep -q '<b>1</b>' browser.out
	ok grep -q 'dies</a>' browser.out
	shot blank.png 360,800 about:blank
	shot narrow.png 360,800 "$as?still=1"
	shot dark.png 360,800 "$as?still=1" --blink-settings=preferredColorScheme=0
	shot wide.png 1280,800 "$as/job/j1?still=1"
	shot list.png 1280,800 "$as/list?still=1"
	within "$(size narrow.png)" $((4 * $(size blank.png))) 1000000 "bytes of narrow.png"
	within "$(size dark.png)" $((4 * $(size blank.png))) 1000000 "bytes of dark.png"
	no cmp -s narrow.png dark.png
	# a form that is sent by the page's own host, and one that is not
	form() {
		printf '<form method=post action="http://127.0.0.1:%s/cgi-bin/queuectl"><input name=token value="%s"><input name=action value=%s></form><script>document.forms[0].submit()</script>' \
		    "$port" "$token" "$1"
	}
	form pause >"$(echo "$T"/tmp/queuectl-web.*)/form.html"
	form resume >form.html
	browse --virtual-time-budget=3000 --dump-dom \
	    "http://ada:lovelace@127.0.0.1:$port/form.html"
	await 5 sh -c 'test "$("$0" config get paused)" = yes' "$QUEUECTL"
	browse --virtual-time-budget=3000 --dump-dom "file://$PWD/form.html"
	is "$(q config get paused)" yes
	q resume
	rm -f "$T"/tmp/queuectl-web.*/form.html
fi
stop_server
await 10 test ! -e "$T/tmp/queuectl-web"*

# The lines of the manual for other servers, with other paths and ports.
manual() {
	sed -n "/^$1/,/^\.Ed/p" "$qt_root/man/queuectl.1" | sed '1,/^\.Bd/d; /^\.Ed/,$d' |
	    sed "s,/srv/queue,$PWD/srv,g; s,/run/queue.sock,$PWD/queue.sock,g;
	    s,/var/spool/queuectl,$S,; s,exec queuectl,exec $QUEUECTL,; s,127.0.0.1:8080,127.0.0.1:$((port + 1)),"
}
mkdir -p srv/cgi-bin
manual 'For a server of your own' >srv/cgi-bin/queuectl
chmod 755 srv/cgi-bin/queuectl
is "$(wc -l <srv/cgi-bin/queuectl | tr -d ' ')" 2 "lines of the script"

t "busybox httpd, as the manual has it"
manual 'busybox httpd, as' >start.sh
server sh -c 'exec $(cat start.sh)'
get $url/cgi-bin/queuectl
out_has ">j1</a>"
stop_server

t "lighttpd"
if command -v lighttpd >/dev/null; then
	{
		echo "server.document-root = \"$PWD/srv\""
		echo "server.bind = \"127.0.0.1\""
		echo "server.port = $((port + 1))"
		manual lighttpd
	} >lighttpd.conf
	server lighttpd -D -f lighttpd.conf
	get $url/queue
	out_has ">j1</a>"
	out_has 'href="/queue/job/j1"'
	get $url/queue/log/j1
	out_is "<b>&"
	code 404 "$url/queue/job/..%2fx"
	code 403 -d x=y "$url/queue"
	stop_server
else
	skip "no lighttpd"
fi

t "nginx and fcgiwrap"
if command -v nginx >/dev/null && command -v fcgiwrap >/dev/null; then
	cp /etc/nginx/fastcgi_params .
	{
		echo "daemon off; pid $PWD/nginx.pid; error_log stderr;"
		[ -z "$qt_root_user" ] || echo "user root;"
		echo "events {} http { access_log off;"
		for dir in client_body proxy fastcgi uwsgi scgi; do
			echo "${dir}_temp_path $PWD/nginx-$dir;"
		done
		echo "server { listen 127.0.0.1:$((port + 1));"
		manual nginx
		echo "} }"
	} >nginx.conf
	fcgiwrap -s "unix:$PWD/queue.sock" 2>fcgiwrap.err &
	wrap=$!
	await 10 test -S queue.sock
	server nginx -c "$PWD/nginx.conf" -e stderr
	get $url/queue
	out_has ">j1</a>"
	out_has 'href="/queue/job/j1"'
	get $url/queue/log/j1
	out_is "<b>&"
	code 404 "$url/queue/job/none"
	# a name that nobody has checked
	q cancel dies
	get -u eve:x "$url/queue/job/dies"
	out_lacks "$token"
	code 403 -u eve:x -H "Origin: $url" -d "action=retry&token=$token" \
	    "$url/queue/job/dies"
	stop_server
	manual 'So a change also' | sed "s,/etc/nginx/queue.passwords,$PWD/nginx.pw," >auth
	echo 'ada:{PLAIN}lovelace' >nginx.pw
	sed "/location/r auth" nginx.conf | sed "s/:$port;/:$((port + 1));/" >nginx2.conf
	server nginx -c "$PWD/nginx2.conf" -e stderr
	code 401 "$url/queue/job/dies"
	code 401 -u eve:x "$url/queue/job/dies"
	get -u ada:lovelace "$url/queue/job/dies"
	out_has "$token"
	code 303 -u ada:lovelace -H "Origin: $url" \
	    -d "action=retry&token=$token" "$url/queue/job/dies"
	is "$(where dies)" pending
	stop_server
	kill $wrap
	wait $wrap
else
	skip "no nginx with fcgiwrap"
fi
finish
