/* SPDX-License-Identifier: Apache-2.0 */
#include "screen.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

enum { TICK_MS = 125, COLUMNS = 100 };

/* There is one terminal, so there is one of these. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    pthread_t ticker;
    bool ticking;
    char text[COLUMNS]; /* "": nothing is waited for */
    int64_t since;      /* launch_uptime_ms() */
} screen = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

/* The caller holds the lock. */
static void draw(void)
{
    int64_t ms = launch_uptime_ms() - screen.since;
    fprintf(stderr, "\r\033[K%c %s (%lld s)", "|/-\\"[ms / TICK_MS % 4], screen.text,
            (long long)ms / 1000);
}

static void *tick(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&screen.lock);
    while (screen.text[0]) {
        struct timespec next;
        clock_gettime(CLOCK_REALTIME, &next);
        next.tv_nsec += TICK_MS * 1000000L;
        next.tv_sec += next.tv_nsec / 1000000000L;
        next.tv_nsec %= 1000000000L;
        draw();
        pthread_cond_timedwait(&screen.ended, &screen.lock, &next);
    }
    pthread_mutex_unlock(&screen.lock);
    return NULL;
}

void launch_screen_line(const char *line)
{
    pthread_mutex_lock(&screen.lock);
    fprintf(stderr, "%s%s\n", screen.text[0] ? "\r\033[K" : "", line);
    if (screen.text[0])
        draw();
    pthread_mutex_unlock(&screen.lock);
}

void launch_screen_progress(const char *text)
{
    if (!isatty(STDERR_FILENO)) {
        launch_screen_line(text);
        return;
    }
    pthread_mutex_lock(&screen.lock);
    if (!screen.text[0])
        screen.since = launch_uptime_ms();
    snprintf(screen.text, sizeof(screen.text), "%s", text);
    if (!screen.ticking)
        screen.ticking = pthread_create(&screen.ticker, NULL, tick, NULL) == 0;
    draw();
    pthread_mutex_unlock(&screen.lock);
}

void launch_screen_end(void)
{
    pthread_mutex_lock(&screen.lock);
    bool ticking = screen.ticking;
    if (screen.text[0])
        fputs("\r\033[K", stderr);
    screen.text[0] = '\0';
    screen.ticking = false;
    pthread_cond_broadcast(&screen.ended);
    pthread_mutex_unlock(&screen.lock);
    if (ticking)
        pthread_join(screen.ticker, NULL);
}
