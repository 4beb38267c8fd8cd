/* SPDX-License-Identifier: Apache-2.0 */
#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/auto.h"

struct emu_serial {
    pthread_mutex_t lock; /* written by the loop's thread, read by the API's */
    int fd;               /* -1: at rest */
    uint64_t base;        /* position of the file's first byte */
    uint64_t size;        /* bytes in the file */
    char path[];
};

int emu_serial_new(const char *path, struct emu_serial **ret, struct vmcp_error *err)
{
    size_t len = strlen(path) + 1;
    struct emu_serial *serial = calloc(1, sizeof(*serial) + len);
    if (!serial)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a serial port log");
    pthread_mutex_init(&serial->lock, NULL);
    serial->fd = -1;
    memcpy(serial->path, path, len);
    *ret = serial;
    return 0;
}

void emu_serial_free(struct emu_serial *serial)
{
    if (!serial)
        return;
    emu_serial_rest(serial);
    pthread_mutex_destroy(&serial->lock);
    free(serial);
}

int emu_serial_open(struct emu_serial *serial, struct vmcp_error *err)
{
    auto_close int fd =
        open(serial->path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, serial->path, "cannot open the serial port log: %m");
    if (!S_ISREG(st.st_mode))
        return vmcp_fail_at(err, VMCP_E_FILE, serial->path,
                            "the serial port log is not a regular file");
    emu_serial_rest(serial);
    pthread_mutex_lock(&serial->lock);
    serial->fd = fd;
    serial->size = (uint64_t)st.st_size;
    pthread_mutex_unlock(&serial->lock);
    fd = -1;
    return 0;
}

void emu_serial_rest(struct emu_serial *serial)
{
    pthread_mutex_lock(&serial->lock);
    if (serial->fd >= 0)
        close(serial->fd);
    serial->fd = -1;
    pthread_mutex_unlock(&serial->lock);
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = TEMP_FAILURE_RETRY(write(fd, data, len));
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Throw away all but the last EMU_SERIAL_KEEP bytes. If even that fails, all of them. */
static void shorten(struct emu_serial *serial)
{
    uint64_t keep = serial->size < EMU_SERIAL_KEEP ? serial->size : EMU_SERIAL_KEEP;
    auto_free char *tail = malloc(EMU_SERIAL_KEEP);
    ssize_t got = tail ? pread(serial->fd, tail, keep, (off_t)(serial->size - keep)) : -1;
    serial->base += serial->size;
    serial->size = 0;
    if (ftruncate(serial->fd, 0) < 0 || got <= 0 || !write_all(serial->fd, tail, (size_t)got))
        return;
    serial->base -= (uint64_t)got;
    serial->size = (uint64_t)got;
}

void emu_serial_write(struct emu_serial *serial, const char *data, size_t len)
{
    pthread_mutex_lock(&serial->lock);
    if (serial->size + len > EMU_SERIAL_MAX)
        shorten(serial);
    struct stat st;
    if (!write_all(serial->fd, data, len) && fstat(serial->fd, &st) == 0)
        serial->size = (uint64_t)st.st_size;
    else
        serial->size += len;
    pthread_mutex_unlock(&serial->lock);
}

static int read_locked(const struct emu_serial *serial, uint64_t start, struct vmcp_buf *out,
                       uint64_t *ret_next, struct vmcp_error *err)
{
    auto_close int own = -1;
    if (serial->fd < 0)
        own = open(serial->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int fd = serial->fd < 0 ? own : serial->fd;
    if (fd < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, serial->path, "cannot open the serial port log: %m");
    uint64_t end = serial->base + serial->size;
    uint64_t oldest = serial->size > EMU_SERIAL_KEEP ? end - EMU_SERIAL_KEEP : serial->base;
    uint64_t from = start < oldest ? oldest : start;
    uint64_t most = out->max - out->len;
    most = most < EMU_SERIAL_KEEP ? most : EMU_SERIAL_KEEP;
    while (from < end && most) {
        char chunk[16 * 1024];
        uint64_t want = end - from < sizeof(chunk) ? end - from : sizeof(chunk);
        want = want < most ? want : most;
        ssize_t n = TEMP_FAILURE_RETRY(pread(fd, chunk, want, (off_t)(from - serial->base)));
        if (n < 0)
            return vmcp_fail(err, VMCP_E_FILE, "cannot read the serial port log: %m");
        if (n == 0)
            break; /* somebody else shortened the file */
        vmcp_buf_add(out, chunk, (size_t)n);
        from += (uint64_t)n;
        most -= (uint64_t)n;
    }
    *ret_next = from;
    return vmcp_buf_check(out, "the serial port output", err);
}

int emu_serial_read(struct emu_serial *serial, uint64_t start, struct vmcp_buf *out,
                    uint64_t *ret_next, struct vmcp_error *err)
{
    pthread_mutex_lock(&serial->lock);
    int rc = read_locked(serial, start, out, ret_next, err);
    pthread_mutex_unlock(&serial->lock);
    return rc;
}
