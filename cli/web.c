/*
 * web.c: starts busybox httpd with the page.
 *
 * The server gets a directory of its own, with a configuration and a CGI script
 * of two lines, and takes our place.  A child of ours waits for its end and
 * removes the directory: it holds the reading end of a pipe whose writing end the
 * server inherits.  It also ends the server when the terminal goes away.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* mkdtemp */
#include <sys/socket.h>
#include <sys/stat.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/http.h"
#include "cli/web.h"

enum { PASSWORD_MAX = 150 };    /* bytes of a line; the server has room for 159,
                                 * with "/:" and the newline */

/* Where the server listens. */
struct place {
	char text[64];          /* "127.0.0.1:8080", as it is in a URL */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	socklen_t length;
	bool loopback;
	bool any;               /* it stands for all addresses of this host */
};

/* The names in the server's directory. */
static const char script[] = "cgi-bin/queuectl", conf[] = "httpd.conf",
    front[] = "index.html", folder[] = "cgi-bin";

/* Reads ADDRESS:PORT, with an IPv6 address in brackets. */
static bool
place_read(struct place *p, const char *word)
{
	const char *colon = strrchr(word, ':');
	size_t n = colon ? (size_t)(colon - word) : 0;
	char address[sizeof p->text];
	int64_t port;

	if (!n || strlen(word) >= sizeof p->text ||
	    !job_number_parse(colon + 1, 1, 65535, &port))
		return false;
	strcpy(p->text, word);
	p->any = !strncmp(word, "0.0.0.0:", 8) || !strncmp(word, "[::]:", 5);
	if (*word == '[' && word[n - 1] == ']') {
		memcpy(address, word + 1, n - 2);
		address[n - 2] = '\0';
		p->address.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
			.sin6_port = htons((uint16_t)port) };
		p->length = sizeof p->address.v6;
		p->loopback = !strcmp(address, "::1");
		return inet_pton(AF_INET6, address,
		    &p->address.v6.sin6_addr) == 1;
	}
	memcpy(address, word, n);
	address[n] = '\0';
	if (!strcmp(address, "localhost")) {
		memcpy(p->text, "127.0.0.1", n); /* as long */
		strcpy(address, "127.0.0.1");
	}
	p->address.v4 = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	p->length = sizeof p->address.v4;
	p->loopback = !strncmp(address, "127.", 4);
	return inet_pton(AF_INET, address, &p->address.v4.sin_addr) == 1;
}

/* Tries to listen there, because the server would not say what is wrong. */
static int
place_try(const struct place *p)
{
	int fd = socket(p->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC,
	    0), on = 1, e = 0;

	if (fd < 0)
		return complain("%s: %s", p->text, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, &p->address.any, p->length) < 0 || listen(fd, 1) < 0)
		e = errno;
	close(fd);
	if (e)
		return complain("cannot listen on %s: %s%s", p->text,
		    strerror(e), e == EADDRINUSE || e == EACCES ?
		    "; name another port, as in queuectl web 127.0.0.1:8090" :
		    "");
	return DONE;
}

/* --- the server's directory --------------------------------------------- */

static int
write_file(int dir, const char *name, mode_t mode, const struct buf *b)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    mode);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		return -1;
	fputs(buf_text(b), f);
	return fclose(f) || b->failed ? -1 : 0;
}

/* What is wrong with a line of the password file; NULL: nothing.  The server
 * drops blanks and all behind a '#', and takes a long line for two. */
static const char *
check_password(const char *line)
{
	const char *colon = strchr(line, ':');

	if (!colon || colon == line || !colon[1])
		return "each line must be USER:PASSWORD";
	return strlen(line) > PASSWORD_MAX || strpbrk(line, "# \t") ?
	    "busybox httpd -m PASSWORD must encrypt it: it is too long, or has "
	    "a blank or a #" : NULL;
}

/* Turns "USER:PASSWORD" lines into the server's, "/:USER:PASSWORD". */
static int
read_passwords(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "r");
	const char *wrong = NULL;
	char line[PASSWORD_MAX + 100];
	size_t users = 0, n;

	if (!f)
		return complain("%s: %s", path, strerror(errno));
	for (n = 1; !wrong && fgets(line, sizeof line, f); n++) {
		line[strcspn(line, "\r\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		wrong = check_password(line);
		buf_printf(b, "/:%s\n", line);
		users++;
	}
	fclose(f);
	if (wrong)
		return complain("%s: line %zu: %s", path, n - 1, wrong);
	return users ? DONE : complain("%s: it has no line USER:PASSWORD",
	    path);
}

/* Adds the path of this program as a word of a shell. */
static void
add_program(struct buf *b)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	path[n > 0 ? n : 0] = '\0';
	if (n > 0)
		job_quote(b, path);
	else
		buf_puts(b, "queuectl");
}

/* Fills the directory. */
static int
fill(int dir, const struct buf *passwords)
{
	struct buf b = { 0 }, page = { 0 };
	int r;

	buf_puts(&b, "#!/bin/sh\nexec ");
	add_program(&b);
	buf_puts(&b, " cgi\n");
	buf_puts(&page, "<!DOCTYPE html><meta http-equiv=refresh "
	    "content=\"0;url=cgi-bin/queuectl\"><a href="
	    "\"cgi-bin/queuectl\">queuectl</a>\n");
	r = mkdirat(dir, folder, 0700) < 0 ||
	    write_file(dir, script, 0700, &b) < 0 ||
	    write_file(dir, conf, 0600, passwords) < 0 ||
	    write_file(dir, front, 0600, &page) < 0 ||
	    /* so says a file system without programs, mounted noexec */
	    faccessat(dir, script, X_OK, 0) < 0 ? FAILED : DONE;
	buf_free(&b);
	buf_free(&page);
	return r;
}

static void
clear(int dir, const char *path)
{
	unlinkat(dir, script, 0);
	unlinkat(dir, folder, AT_REMOVEDIR);
	unlinkat(dir, conf, 0);
	unlinkat(dir, front, 0);
	rmdir(path);
}

/* Waits for the end of the writing end of a pipe.  If the terminal goes away
 * before, ends the server: to busybox httpd SIGHUP says only that it is to read
 * its configuration again. */
static void
watch(int pipe_end, pid_t server)
{
	struct pollfd p[2] = { { .fd = pipe_end, .events = POLLIN },
		{ .fd = isatty(STDERR_FILENO) ? STDERR_FILENO : -1 } };

	while (poll(p, 2, -1) < 0 || !p[0].revents) {
		if (!p[1].revents)
			continue;
		if (getppid() == server)
			kill(server, SIGTERM);
		p[1] = (struct pollfd){ .fd = -1 };
	}
}

/* Leaves a child behind that removes the directory when the server and all of
 * its children have ended. */
static int
clear_later(int dir, const char *path)
{
	pid_t server = getpid(), pid;
	int p[2];

	if (pipe(p) < 0 || (pid = fork()) < 0)
		return FAILED;
	if (pid) {
		close(p[0]);
		return DONE;
	}
	/* keys such as ^C are for the server */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	close(p[1]);
	watch(p[0], server);
	clear(dir, path);
	_exit(0);
}

/* --- the command -------------------------------------------------------- */

/* The words that run busybox httpd here; NULL: there is none. */
static const char *
find_server(void)
{
	return system("busybox httpd --help >/dev/null 2>&1") == 0 ?
	    "busybox" : system("busybox-extras httpd --help >/dev/null 2>&1")
	    == 0 ? "busybox-extras" : NULL;
}

/* Says where the page is, and becomes the server. */
static int
serve(struct call *c, const char *server, const struct place *place,
    char *path)
{
	const char *hosts = c->spool.config.web_hosts;
	const char *port = strrchr(place->text, ':');
	struct buf b = { 0 };

	if (place->any && !*hosts)
		complain("the page answers browsers that ask for localhost or "
		    "this host's name; for others: queuectl config set "
		    "web-hosts 'NAME ADDRESS'");
	else if (!place->any && !http_host_is(place->text, hosts))
		complain("the setting web-hosts does not have this host; to "
		    "allow it: queuectl config set web-hosts '%s%s%.*s'", hosts,
		    *hosts ? " " : "", (int)(port - place->text), place->text);
	printf("http://%s%s/\n", place->any ? "localhost" : "",
	    place->any ? port : place->text);
	if (fflush(stdout))
		return FAILED;
	buf_printf(&b, "%s/%s", path, conf);
	if (b.failed || setenv("QUEUECTL_SPOOL", c->spool.path, 1) < 0)
		return complain_memory();
	execlp(server, server, "httpd", "-f", "-p", place->text, "-h", path,
	    "-c", b.p, "-r", "queuectl", (char *)NULL);
	return complain("%s: %s", server, strerror(errno));
}

const struct option_def web_options[] = {
	{ "password-file", 0, "FILE", "lines USER:PASSWORD; nobody else is "
	    "let in" },
	{ NULL, 0, NULL, NULL }
};

/* Prepares the server's directory and starts it. */
static int
start(struct call *c, const char *server, const struct place *place,
    const struct buf *passwords)
{
	const char *tmp = getenv("TMPDIR");
	struct buf path = { 0 };
	int dir = -1, r = FAILED;

	buf_printf(&path, "%s/queuectl-web.XXXXXX", tmp && *tmp == '/' ? tmp :
	    "/tmp");
	if (!path.failed && mkdtemp(path.p))
		dir = open(path.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && fill(dir, passwords) == DONE &&
	    clear_later(dir, path.p) == DONE) {
		r = serve(c, server, place, path.p);
	} else {
		complain("%s: %s; set TMPDIR to a directory where programs may "
		    "be made and run", buf_text(&path), strerror(errno));
		if (dir >= 0)
			clear(dir, path.p);
	}
	if (dir >= 0)
		close(dir);
	buf_free(&path);
	return r;
}

int
command_web(struct call *c)
{
	const char *word = c->n ? c->operand[0] : "127.0.0.1:8080";
	const char *file = call_option(c, "password-file");
	struct buf passwords = { 0 };
	struct place place;
	const char *server;
	int r;

	if (!place_read(&place, word))
		return complain_usage("not ADDRESS:PORT: %s; for example "
		    "127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080", word);
	if (!place.loopback && !file)
		return complain_usage("%s can be reached from other hosts, so "
		    "--password-file FILE is needed, with lines USER:PASSWORD",
		    word);
	if (call_open_spool(c, false) != DONE)
		return FAILED;
	r = file ? read_passwords(file, &passwords) : DONE;
	if (r == DONE)
		r = place_try(&place);
	server = r == DONE ? find_server() : NULL;
	if (r == DONE && !server)
		r = complain("there is no busybox httpd; queuectl(1), THE WEB "
		    "PAGE, has three lines each for lighttpd, nginx and "
		    "uhttpd");
	if (r == DONE)
		r = start(c, server, &place, &passwords);
	buf_free(&passwords);
	return r;
}
