/* SPDX-License-Identifier: Apache-2.0 */
#include "message.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, PATIENCE_MS = 1000 };

/* The variable names the device and inode of the stream that the service was started with; a
 * standard error that was sent elsewhere since then is another one. */
bool srv_message_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char want[64];
    if (!stream || fstat(STDERR_FILENO, &st) < 0)
        return false;
    snprintf(want, sizeof(want), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, want) == 0;
}

/* A standard error that nobody reads may hold up its writer for a second, and once only: whoever
 * writes here may have requests to answer. */
static bool takes_a_line(void)
{
    static atomic_bool stuck;
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    int wait_ms = atomic_load(&stuck) ? 0 : PATIENCE_MS;
    bool ready = poll(&p, 1, wait_ms) == 1 && (p.revents & POLLOUT);
    atomic_store(&stuck, !ready);
    return ready;
}

void srv_message_time(char ret[static SRV_TIME_CHARS])
{
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(ret, SRV_TIME_CHARS, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret + n, SRV_TIME_CHARS - n, ".%06ldZ", now.tv_nsec / 1000);
}

static atomic_int times = -1; /* 1: lines begin with one; -1: nobody has looked yet */

void srv_message_without_times(void)
{
    atomic_store(&times, 0);
}

/* What a line begins with: what the journal adds by itself, and whoever sits at a terminal knows,
 * is not said. */
static size_t begin(enum srv_level level, char *line, size_t size)
{
    char when[SRV_TIME_CHARS];
    if (srv_message_journal())
        return (size_t)snprintf(line, size, "<%d>", (int)level);
    if (atomic_load(&times) < 0)
        atomic_store(&times, !isatty(STDERR_FILENO));
    if (!atomic_load(&times))
        return 0;
    srv_message_time(when);
    return (size_t)snprintf(line, size, "%s ", when);
}

void srv_message(enum srv_level level, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    size_t n = begin(level, line, sizeof(line));
    va_start(args, fmt);
    vsnprintf(line + n, sizeof(line) - n - 1, fmt, args); /* room for the newline */
    va_end(args);
    vmcp_text_clean(line + n);
    n = strlen(line);
    line[n++] = '\n';
    if (!takes_a_line() || write(STDERR_FILENO, line, n) < 0)
        return; /* nobody else can be told */
}

void srv_message_error(const struct vmcp_error *err)
{
    srv_message(SRV_ERROR, "vmcpd: error: %s%s%s [%s]", err->where, err->where[0] ? ": " : "",
                err->text, vmcp_code_name(err->code));
}
