/*
 * http.c: a request of an HTTP server to a CGI program, and what an answer is
 * made of.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* getrandom */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#if defined(__linux__) && !defined(QUEUECTL_PORTABLE)
#include <sys/random.h>
#else
#define getrandom(p, n, flags) (errno = ENOSYS, (ssize_t)-1)
#endif

#include "cli/http.h"
#include "job/text.h"

enum {
	HOST_MAX = 255,         /* RFC 1035, and room for a port */
	WAITS = 50,             /* for a form that does not come, in all, */
	WAIT_MS = 100,          /* …of so much each */
	SKIP_MAX = 4 << 20      /* bytes that are read of a form that is too long */
};

static const char *
variable(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *p;

	p = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
	return p ? (int)(p - digits) : -1;
}

/* Decodes a word of a form in place (WHATWG URL, application/x-www-form-
 * urlencoded).  false: it is none, or has a NUL. */
static bool
decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		int high = 0, low = 0;

		if (*s == '%') {
			high = hex_digit(s[1]);
			low = high < 0 ? -1 : hex_digit(s[2]);
			if (low < 0 || high + low == 0)
				return false;
			s += 2;
			*to++ = (char)(high << 4 | low);
		} else {
			*to++ = *s == '+' ? ' ' : *s;
		}
	}
	*to = '\0';
	return true;
}

/* Cuts r->text up into names and values. */
static bool
split_values(struct http_request *r)
{
	char *at = r->text.p, *next, *eq;

	for (; at && *at; at = next) {
		next = at + strcspn(at, "&");
		if (*next)
			*next++ = '\0';
		if (!*at)
			continue;
		eq = strchr(at, '=');
		if (eq)
			*eq++ = '\0';
		if (r->n == HTTP_VALUES || !decode(at) || (eq && !decode(eq)))
			return false;
		r->value[r->n++] = (struct http_value){ at, eq ? eq : "" };
	}
	return true;
}

/* Reads the rest of the request, into r->text with `keep`.  A client may send it
 * slowly, or never. */
static int
read_body(struct http_request *r, int64_t left, bool keep)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char bytes[1024];
	int waits = 0;
	ssize_t n;

	while (left) {
		if (poll(&in, 1, WAIT_MS) == 0) {
			if (++waits == WAITS)
				return 408;
			continue;
		}
		n = read(STDIN_FILENO, bytes, (size_t)left < sizeof bytes ?
		    (size_t)left : sizeof bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || (keep && memchr(bytes, '\0', (size_t)n)))
			return 400;
		if (keep)
			buf_add(&r->text, bytes, (size_t)n);
		left -= n;
	}
	return 200;
}

/* Reads the form into r->text. */
static int
read_form(struct http_request *r, const char **why)
{
	static const char form[] = "application/x-www-form-urlencoded";
	const char *type = variable("CONTENT_TYPE");
	int64_t length;

	*why = "the form is too long, or its length is not known";
	if (!job_number_parse(variable("CONTENT_LENGTH"), 0, JOB_NUMBER_MAX,
	    &length))
		return 413;
	if (length > HTTP_BODY_MAX) {
		/* A server resets the connection if we leave something unread,
		 * and the browser may never see the answer. */
		read_body(r, length < SKIP_MAX ? length : SKIP_MAX, false);
		return 413;
	}
	*why = "only forms are accepted";
	if (strncasecmp(type, form, sizeof form - 1) ||
	    !strchr("; ", type[sizeof form - 1]))
		return 415;
	*why = "the form breaks off";
	return read_body(r, length, true);
}

static int
read_method(struct http_request *r, const char **why)
{
	const char *method = variable("REQUEST_METHOD");

	r->head = !strcmp(method, "HEAD");
	r->post = !strcmp(method, "POST");
	*why = "only GET, HEAD and POST are known here";
	return r->head || r->post || !strcmp(method, "GET") ? 200 : 405;
}

/* Whether it is a name or an address, and perhaps a port. */
static bool
is_host(const char *host)
{
	const char *more = *host == '[' ? ".:" : ".-_", *s = host;

	s += *host == '[';
	while (text_is_letter(*s) || text_is_digit(*s) ||
	    (*s && strchr(more, *s)))
		s++;
	if (*host == '[' && *s++ != ']')
		return false;
	if (s > host && *s == ':')
		s += 1 + strspn(s + 1, "0123456789");
	return s > host && s - host <= HOST_MAX && !*s;
}

int
http_read(struct http_request *r, const char **why)
{
	const char *query = variable("QUERY_STRING");
	int status;

	*r = (struct http_request){ .script = variable("SCRIPT_NAME"),
		.path = variable("PATH_INFO"), .host = variable("HTTP_HOST"),
		.origin = variable("HTTP_ORIGIN"),
		.user = *variable("AUTH_TYPE") ? variable("REMOTE_USER") : "" };
	if (!*r->path)
		r->path = "/";
	/* "//x" in a link would be a host */
	while (*r->script == '/' && (r->script[1] == '/' || !r->script[1]))
		r->script++;
	if (*r->script != '/')
		r->script = "";
	status = read_method(r, why);
	if (status != 200)
		return status;
	*why = "the name of the host is missing or is none";
	if (!is_host(r->host))
		return 400;
	*why = "the query is too long";
	if (strlen(query) > HTTP_QUERY_MAX)
		return 414;
	if (!r->post)
		buf_puts(&r->text, query);
	else if ((status = read_form(r, why)) != 200)
		return status;
	*why = "the fields are not encoded as a form's are, or too many";
	return !r->text.failed && split_values(r) ? 200 : 400;
}

void
http_free(struct http_request *r)
{
	buf_free(&r->text);
}

const char *
http_value(const struct http_request *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (!strcmp(r->value[i].name, name))
			return r->value[i].value;
	return "";
}

/* --- who may ask -------------------------------------------------------- */

/* The length of a host without its port. */
static size_t
host_length(const char *host)
{
	return *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
}

static bool
is_name(const char *host, size_t n, const char *name, size_t len)
{
	return n == len && n > 0 && !strncasecmp(host, name, n);
}

static bool
is_own(const char *host, size_t n)
{
	char name[HOST_MAX + 1] = "";

	if (is_name(host, n, "localhost", 9) || is_name(host, n, "[::1]", 5) ||
	    (!strncmp(host, "127.", 4) && strspn(host, ".0123456789") == n))
		return true;
	gethostname(name, sizeof name - 1);
	return is_name(host, n, name, strlen(name)) ||
	    is_name(host, n, name, strcspn(name, "."));
}

bool
http_host_is(const char *host, const char *hosts)
{
	size_t n = host_length(host), len;

	hosts += strspn(hosts, " ,\t");
	if (!*hosts)
		return is_own(host, n);
	for (; *hosts; hosts += strspn(hosts, " ,\t")) {
		len = strcspn(hosts, " ,\t");
		if (is_name(host, n, hosts, len))
			return true;
		hosts += len;
	}
	return false;
}

bool
http_origin_is(const char *origin, const char *host)
{
	size_t n = !strncmp(origin, "http://", 7) ? 7 :
	    !strncmp(origin, "https://", 8) ? 8 : 0;

	return n && !strcasecmp(origin + n, host);
}

bool
http_same(const char *a, const char *b)
{
	size_t n = strlen(a), i;
	int differ = 0;

	if (strlen(b) != n)
		return false;
	for (i = 0; i < n; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

bool
http_random(char out[HTTP_RANDOM + 1])
{
	unsigned char bytes[HTTP_RANDOM / 2];
	ssize_t n = getrandom(bytes, sizeof bytes, 0);
	int fd, i;

	if (n < 0) {
		fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
		if (fd >= 0)
			close(fd);
	}
	if (n != (ssize_t)sizeof bytes)
		return false;
	for (i = 0; i < HTTP_RANDOM; i++)
		out[i] = "0123456789abcdef"[bytes[i / 2] >> 4 * (i & 1) & 15];
	out[HTTP_RANDOM] = '\0';
	return true;
}

/* --- an answer ---------------------------------------------------------- */

static const char *
status_word(int status)
{
	static const struct {
		int status;
		const char *word;
	} words[] = {
		{ 200, "OK" }, { 303, "See Other" }, { 400, "Bad Request" },
		{ 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" }, { 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" }
	};
	size_t i;

	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (words[i].status == status)
			return words[i].word;
	return "Error";
}

/* "Status:" comes first: busybox httpd looks for it there alone. */
void
http_head(int status, const char *type, const char *nonce, const char *more)
{
	printf("Status: %d %s\r\n"
	    "Content-Type: %s; charset=utf-8\r\n"
	    "Content-Security-Policy: default-src 'none'; ",
	    status, status_word(status), type);
	if (nonce)
		printf("style-src 'nonce-%s'; img-src data:; "
		    "form-action 'self'; ", nonce);
	printf("base-uri 'none'; frame-ancestors 'none'\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "X-Frame-Options: DENY\r\n"
	    "Referrer-Policy: same-origin\r\n"
	    "Cache-Control: no-store\r\n%s%s%s\r\n",
	    status == 405 ? "Allow: GET, HEAD, POST\r\n" : "",
	    more ? more : "", more ? "\r\n" : "");
}
