/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/auto.h"
#include "lib/base64.h"
#include "lib/limits.h"
#include "message.h"

enum { LINE_BYTES = 1024, PATH_CHARS = 256, METHOD_CHARS = 24, HOST_DIGITS = 12 };

/* What stands in a reply's note. The snapshot that these come from may be gone when the line is
 * written. */
struct note {
    const struct vmcp_alg *alg; /* NULL: there is no answer */
    int64_t serial;
    enum vmcp_format format;
    enum vmcp_kind kind;
    char machine[VMCP_NAME_MAX + 1], jti[VMCP_JTI_LEN + 1], host[HOST_DIGITS + 1];
    char key[VMCP_THUMBPRINT_LEN + 1];
};

_Static_assert(sizeof(struct note) <= HTTP_NOTE_MAX, "a note does not fit into a reply");

static int not_opened(const char *path, int error, struct vmcp_error *err)
{
    return vmcp_fail_at(err, VMCP_E_FILE, path, "the access log cannot be opened for appending: %s",
                        strerror(error));
}

static int open_file(const char *path, int *ret_fd, struct vmcp_error *err)
{
    /* O_NONBLOCK is for a FIFO that nobody reads; it means nothing to a regular file. */
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0640);
    if (fd < 0)
        return not_opened(path, errno, err);
    *ret_fd = fd;
    return 0;
}

static enum srv_log_kind kind_of(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return SRV_LOG_FILE;
    return S_ISSOCK(st.st_mode)  ? SRV_LOG_SOCKET
           : S_ISREG(st.st_mode) ? SRV_LOG_FILE
                                 : SRV_LOG_PIPE;
}

int srv_log_try(const char *place, struct vmcp_error *err)
{
    struct stat st;
    if (!place || strcmp(place, "-") == 0 || strcmp(place, "off") == 0)
        return 0;
    bool there = stat(place, &st) == 0;
    if (there && S_ISDIR(st.st_mode))
        return not_opened(place, EISDIR, err);
    auto_free char *folder = strdup(place);
    if (!folder)
        return vmcp_fail_at(err, VMCP_E_NO_MEMORY, place, "no memory for a path");
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    int rc = there ? faccessat(AT_FDCWD, place, W_OK, AT_EACCESS)
                   : faccessat(AT_FDCWD, slash ? folder : ".", W_OK | X_OK, AT_EACCESS);
    return rc < 0 ? not_opened(place, errno, err) : 0;
}

int srv_log_open(struct srv_log *log, const char *place, bool json, struct vmcp_error *err)
{
    *log = (struct srv_log){.fd = -1, .json = json};
    if (place && strcmp(place, "off") == 0)
        return 0;
    int rc = 0;
    if (!place || strcmp(place, "-") == 0) {
        log->fd = STDERR_FILENO;
        log->journal = srv_message_journal();
    } else {
        log->path = place;
        rc = open_file(place, &log->fd, err);
    }
    if (rc == 0)
        log->kind = kind_of(log->fd);
    return rc;
}

/* The new file takes the old one's descriptor: other threads write to it all the time. */
static int reopen(struct srv_log *log, struct vmcp_error *err)
{
    auto_close int fd = -1;
    int rc = open_file(log->path, &fd, err);
    if (rc == 0 && dup3(fd, log->fd, O_CLOEXEC) < 0)
        rc = vmcp_fail_at(err, VMCP_E_FILE, log->path, "the access log cannot be opened again: %s",
                          strerror(errno));
    return rc;
}

int srv_log_reopen(struct srv_log *log, struct vmcp_error *err)
{
    if (!log->path)
        return 0;
    int rc = reopen(log, err);
    atomic_store(&log->stale, rc < 0);
    if (rc < 0)
        return rc;
    atomic_store(&log->torn, false);
    atomic_store(&log->told, false);
    return 0;
}

void srv_log_close(struct srv_log *log)
{
    if (log->path && log->fd >= 0)
        close(log->fd);
    log->kind = SRV_LOG_OFF;
}

void srv_log_answer(const struct srv_log *log, const struct srv_work *w, struct http_reply *reply)
{
    struct note note = {.alg = w->alg,
                        .serial = w->machine->config.serial,
                        .format = w->question->format,
                        .kind = w->machine->config.kind};
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned len = 0;
    const char *hostid = w->question->hostid;
    if (log->kind == SRV_LOG_OFF)
        return;
    if (hostid[0] && EVP_Digest(hostid, strlen(hostid), digest, &len, EVP_sha256(), NULL) == 1) {
        vmcp_hex_encode(digest, len, hex);
        memcpy(note.host, hex, HOST_DIGITS);
    }
    snprintf(note.machine, sizeof(note.machine), "%s", w->machine->config.name);
    snprintf(note.key, sizeof(note.key), "%s", vmcp_key_thumbprint(w->key));
    memcpy(note.jti, w->jti, sizeof(note.jti));
    memcpy(reply->note, &note, sizeof(note));
}

/* What a client wrote is encoded again: none of it can end a line, or a string of JSON, or hide. */
static void encode(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; text && *text && n + 4 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c > ' ' && c < 127 && c != '%' && c != '"' && c != '\\')
            out[n++] = (char)c;
        else
            n += (size_t)snprintf(out + n, size - n, "%%%02X", c);
    }
    out[n] = '\0';
}

/* A name and a value that both need no escaping. */
static void add_text(struct vmcp_buf *b, bool json, const char *name, const char *value)
{
    if (value[0])
        vmcp_buf_addf(b, json ? ",\"%s\":\"%s\"" : " %s=%s", name, value);
}

static void add_note(struct vmcp_buf *b, bool json, const struct http_reply *reply)
{
    struct note note;
    memcpy(&note, reply->note, sizeof(note));
    if (!note.alg)
        return;
    add_text(b, json, vmcp_kind_name(note.kind), note.machine);
    vmcp_buf_addf(b, json ? ",\"serial\":%lld" : " serial=%lld", (long long)note.serial);
    add_text(b, json, "jti", note.jti);
    add_text(b, json, "host", note.host);
    add_text(b, json, "key", note.key);
    add_text(b, json, "alg", vmcp_alg_name(note.alg));
    add_text(b, json, "format", note.format == VMCP_FORMAT_V2 ? "v2" : "v1");
}

static void format_line(const struct srv_log *log, const struct http_request *req,
                        const struct http_reply *reply, int64_t micros, struct vmcp_buf *b)
{
    char path[PATH_CHARS], method[METHOD_CHARS], when[SRV_TIME_CHARS], client[HTTP_ADDRESS_TEXT];
    const char *route = req->route ? req->route->pattern : "";
    encode(path, sizeof(path), req->path);
    encode(method, sizeof(method), req->method);
    http_address_text(&req->client, client);
    srv_message_time(when);
    if (log->journal)
        vmcp_buf_addf(b, "<%d>", reply->status >= 500 ? SRV_WARNING : SRV_INFO);
    if (log->json)
        vmcp_buf_addf(b,
                      "{\"time\":\"%s\",\"method\":\"%s\",\"path\":%s%s%s,\"status\":%d,"
                      "\"code\":\"%s\",\"micros\":%lld",
                      when, method, path[0] ? "\"" : "", path[0] ? path : "null",
                      path[0] ? "\"" : "", reply->status, vmcp_code_name(reply->code),
                      (long long)micros);
    else
        vmcp_buf_addf(b, "%s %s %s %d %s %lldus", when, method, path[0] ? path : "-", reply->status,
                      vmcp_code_name(reply->code), (long long)micros);
    add_text(b, log->json, "route", log->json ? route : "");
    add_text(b, log->json, "client", client);
    add_note(b, log->json, reply);
    vmcp_buf_adds(b, log->json ? "}\n" : "\n");
}

/* write(2) that does not wait, whoever else has the descriptor: 0 or an errno, and how much of it
 * went out. */
static int write_now(const struct srv_log *log, const char *data, size_t len, size_t *ret_done)
{
    struct pollfd p = {.fd = log->fd, .events = POLLOUT};
    ssize_t n = -1;
    *ret_done = 0;
    if (log->kind == SRV_LOG_PIPE && (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT)))
        return EAGAIN; /* standard error may be shared, so it is not made non-blocking */
    do {
        n = log->kind == SRV_LOG_SOCKET ? send(log->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL)
                                        : write(log->fd, data, len);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno;
    *ret_done = (size_t)n;
    return (size_t)n == len ? 0 : ENOSPC;
}

static void drop(struct srv_log *log, int why)
{
    atomic_fetch_add_explicit(&log->dropped, 1, memory_order_relaxed);
    if (log->path && !atomic_exchange(&log->told, true))
        srv_message(SRV_ERROR,
                    "vmcpd: error: %s: a line of the access log cannot be written: %s; answers go "
                    "on, and lines are dropped while this lasts",
                    log->path, strerror(why));
}

void srv_log_request(struct srv_log *log, const struct http_request *req,
                     const struct http_reply *reply, int64_t micros)
{
    char first[LINE_BYTES];
    /* On the stack: it holds its maximum from the start, and so never grows. */
    struct vmcp_buf b = {.data = first, .cap = sizeof(first), .max = sizeof(first) - 1};
    size_t done = 0;
    if (log->kind == SRV_LOG_OFF)
        return;
    bool torn = atomic_exchange_explicit(&log->torn, false, memory_order_relaxed);
    if (torn)
        vmcp_buf_addc(&b, '\n');
    format_line(log, req, reply, micros, &b);
    int failed = b.failed ? EMSGSIZE : write_now(log, b.data, b.len, &done);
    if (!failed)
        return;
    if (done > 0 || torn)
        atomic_store(&log->torn, true);
    drop(log, failed);
}
