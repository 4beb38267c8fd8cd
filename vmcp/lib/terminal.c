/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "auto.h"

/* A terminal without echo. Signals that would end or stop us wait in `signals` meanwhile. */
struct quiet {
    int tty, signals;
    struct termios before;
    sigset_t mask;
};

bool vmcp_terminal_is_there(void)
{
    auto_close int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    return fd >= 0 && isatty(fd);
}

static bool write_all(int fd, const char *text)
{
    for (size_t len = strlen(text); len > 0;) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR)
            return false;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool begin(struct quiet *q)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGALRM};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        sigaddset(&set, numbers[i]);
    if (tcgetattr(q->tty, &q->before) < 0)
        return false;
    struct termios silent = q->before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    silent.c_lflag |= ICANON;
    pthread_sigmask(SIG_BLOCK, &set, &q->mask);
    q->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (q->signals >= 0 && tcsetattr(q->tty, TCSAFLUSH, &silent) == 0)
        return true;
    pthread_sigmask(SIG_SETMASK, &q->mask, NULL);
    return false;
}

static void end(struct quiet *q)
{
    (void)write_all(q->tty, "\n"); /* the one that was typed was not shown */
    tcsetattr(q->tty, TCSAFLUSH, &q->before);
    pthread_sigmask(SIG_SETMASK, &q->mask, NULL);
}

/* Wait for a line. The number of a signal that came first, or 0. */
static int wait_for_line(const struct quiet *q)
{
    struct pollfd fds[] = {{.fd = q->signals, .events = POLLIN}, {.fd = q->tty, .events = POLLIN}};
    struct signalfd_siginfo info;
    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR)
            return 0; /* read() will tell */
    if ((fds[0].revents & POLLIN) && read(q->signals, &info, sizeof(info)) == sizeof(info))
        return (int)info.ssi_signo;
    return 0;
}

static int take_line(const char *line, ssize_t n, char *out, size_t size, size_t *ret_len,
                     struct vmcp_error *err)
{
    if (n < 0)
        return vmcp_fail(err, VMCP_E_FILE, "the terminal cannot be read: %s", strerror(errno));
    size_t len = (size_t)n;
    if (len > 0 && line[len - 1] == '\n')
        len--;
    if (len == 0)
        return vmcp_fail(err, VMCP_E_PASSPHRASE, "nothing was entered");
    if (len >= size)
        return vmcp_fail(err, VMCP_E_LIMIT, "a line of over %zu bytes", size - 1);
    memcpy(out, line, len);
    out[len] = '\0';
    *ret_len = len;
    return 0;
}

/* One prompt; *ret_signal is the signal that cut it short, or 0. */
static int ask_once(struct quiet *q, const char *prompt, char *out, size_t size, size_t *ret_len,
                    int *ret_signal, struct vmcp_error *err)
{
    char line[_POSIX_MAX_CANON * 20];
    auto_close int signals = -1;
    *ret_signal = 0;
    if (!begin(q))
        return vmcp_fail(err, VMCP_E_FILE, "the terminal's echo cannot be turned off");
    signals = q->signals;
    int rc = write_all(q->tty, prompt)
                 ? 0
                 : vmcp_fail(err, VMCP_E_FILE, "the terminal cannot be written");
    if (rc == 0)
        *ret_signal = wait_for_line(q);
    ssize_t n = rc == 0 && !*ret_signal ? read(q->tty, line, sizeof(line)) : 0;
    end(q);
    if (rc == 0 && !*ret_signal)
        rc = take_line(line, n, out, size, ret_len, err);
    OPENSSL_cleanse(line, sizeof(line));
    return rc;
}

int vmcp_terminal_ask(const char *prompt, char *out, size_t size, size_t *ret_len,
                      struct vmcp_error *err)
{
    auto_close int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct quiet q = {.tty = tty};
    int cut = 0;
    if (tty < 0)
        return vmcp_fail(err, VMCP_E_FILE, "there is no terminal: %s", strerror(errno));
    for (;;) {
        int rc = ask_once(&q, prompt, out, size, ret_len, &cut, err);
        if (!cut)
            return rc;
        raise(cut); /* ends us, or stops us until we are wanted again */
        if (cut != SIGTSTP)
            return vmcp_fail(err, VMCP_E_PASSPHRASE, "interrupted by signal %d", cut);
    }
}
