/* SPDX-License-Identifier: Apache-2.0 */
/* vmcpd - the signed configuration responder. */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "control.h"
#include "exporter.h"
#include "http/notify.h"
#include "http/server.h"
#include "lib/auto.h"
#include "lib/buf.h"
#include "message.h"
#include "privileges.h"
#include "reload.h"
#include "sandbox.h"
#include "service.h"
#include "settings.h"
#include "signals.h"
#include "verbs.h"
#include "watch.h"

enum { RELOAD_NICE = 10 };

/* What the main thread waits for while others answer. */
struct loop {
    struct srv_service service;
    struct srv_exporter exporter;
    struct srv_watch watch;
    struct srv_transport transport;
    struct http_listener control;
    int signals;
};

static void print_loaded(const struct srv_settings *settings, const struct srv_snapshot *s)
{
    char held[SRV_CATALOGUE_CHARS];
    for (size_t i = 0; i < s->ring.count; i++) {
        const struct vmcp_keyring_entry *e = &s->ring.entries[i];
        printf("vmcpd: key %s %s%s%s\n", vmcp_key_thumbprint(e->key), vmcp_key_type_name(e->key),
               e->state == VMCP_KEY_ACTIVE ? "" : " ",
               e->state == VMCP_KEY_ACTIVE ? "" : vmcp_key_state_name(e->state));
    }
    printf("vmcpd: domain %s, %s, catalogue %.12s\n", settings->domain,
           srv_catalogue_text(s->catalogue, held), srv_catalogue_digest(s->catalogue));
}

/* Load again. A change that comes during the load is seen: the watch begins before it. */
static int reload(struct loop *loop, const char *why, bool unasked, json_t **ret_findings,
                  struct vmcp_error *err)
{
    if (loop->service.settings->watch &&
        srv_watch_begin(&loop->watch, loop->service.settings, err) < 0)
        srv_message_error(err); /* what cannot be watched cannot be loaded either, and is told so */
    int rc = srv_reload(&loop->service, why, unasked, ret_findings, err);
    if (rc == 0 && loop->transport.server)
        http_server_set_tls(loop->transport.server, loop->service.snapshot->tls);
    return rc;
}

/* Open the access log by its name again; where that fails the old one goes on. */
static int reopen_log(struct loop *loop, struct vmcp_error *err)
{
    int rc = srv_log_reopen(&loop->service.log, err);
    if (rc < 0)
        srv_message_error(err);
    return rc;
}

static void answer_control(struct loop *loop)
{
    int fd = -1;
    srv_control_accept(loop->control.fd, &fd);
    if (fd < 0)
        return;
    struct srv_control_outcome outcome = {0};
    struct vmcp_error log_err = {0};
    json_auto_t *findings = NULL;
    outcome.loaded = reload(loop, "vmcpd reload", false, &findings, &outcome.err) == 0;
    bool reopened = reopen_log(loop, &log_err) == 0;
    if (outcome.loaded)
        outcome.err = log_err;
    else if (!reopened)
        json_array_append_new(findings, json_sprintf("%s: error: %s", log_err.where, log_err.text));
    outcome.generation = loop->service.snapshot->generation;
    const struct srv_catalogue *catalogue = loop->service.snapshot->catalogue;
    outcome.machines = srv_catalogue_count(catalogue, VMCP_KIND_MACHINE);
    outcome.jobs = srv_catalogue_count(catalogue, VMCP_KIND_JOB);
    srv_control_answer(fd, &outcome, findings);
}

/* 0, or the signal that ends the server. */
static int take_signal(struct loop *loop)
{
    struct vmcp_error err = {0};
    int number = srv_signals_next(loop->signals);
    if (number == SIGUSR1 || number == SIGUSR2) {
        srv_message(SRV_INFO,
                    "vmcpd: SIGUSR%d means nothing here; SIGHUP reloads and opens the access log "
                    "again, SIGTERM stops",
                    number == SIGUSR1 ? 1 : 2);
        return 0;
    }
    if (number != SIGHUP)
        return number;
    (void)reopen_log(loop, &err); /* it was told; the reload is another matter */
    reload(loop, "SIGHUP", false, NULL, &err);
    return 0;
}

/* While it stops: has a second signal come, of those that end it? */
static bool is_urgent(void *arg)
{
    const struct loop *loop = arg;
    int number = srv_signals_next(loop->signals);
    if (number != SIGTERM && number != SIGINT)
        return false;
    srv_message(SRV_INFO, "vmcpd: stopping at once on a second signal");
    return true;
}

/* Until a signal ends it; gives that back. */
static int wait_for_end(struct loop *loop)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = loop->signals, .events = POLLIN},
                               {.fd = loop->control.fd, .events = POLLIN},
                               {.fd = loop->watch.fd, .events = POLLIN}};
        struct vmcp_error err = {0};
        int signal_number = 0;
        if (poll(fds, 3, srv_watch_due(&loop->watch)) < 0)
            continue;
        if (fds[2].revents)
            srv_watch_read(&loop->watch);
        if (srv_watch_due(&loop->watch) == 0)
            reload(loop, "a file changed", true, NULL, &err);
        if (fds[1].revents)
            answer_control(loop);
        if (fds[0].revents && (signal_number = take_signal(loop)) != 0)
            return signal_number;
    }
}

static int listen_for_control(const struct srv_settings *settings, struct loop *loop,
                              struct vmcp_error *err)
{
    auto_free char *path = NULL;
    int rc = srv_control_path(settings->control, &path, err);
    if (rc < 0 || !path)
        return rc;
    rc = srv_control_listen(path, &loop->control, err);
    return rc < 0 ? vmcp_error_option(err, "control", path) : 0;
}

static int serve(const struct srv_settings *settings, struct loop *loop, struct vmcp_error *err)
{
    const struct srv_transport_settings *transport = &settings->transport;
    int rc = srv_log_open(&loop->service.log, settings->access_log, settings->log_json, err);
    if (rc == 0)
        rc = listen_for_control(settings, loop, err);
    if (rc == 0)
        rc = srv_transport_open(transport, &loop->transport, err);
    if (rc == 0)
        rc = srv_exporter_open(&loop->exporter, settings->metrics, err);
    if (rc == 0)
        rc = srv_sandbox_enter(settings, &loop->service.snapshot->ring, loop->control.path,
                               http_notify_open(), &loop->service.sandbox, err);
    if (rc == 0)
        rc = srv_transport_start(transport, &loop->transport, srv_service_options(&loop->service),
                                 loop->service.snapshot->tls, err);
    if (rc == 0)
        rc = srv_exporter_start(&loop->exporter, &loop->service, loop->transport.server, err);
    if (rc < 0) {
        srv_exporter_stop(&loop->exporter);
        srv_transport_stop(transport, &loop->transport, is_urgent, loop);
        return rc;
    }
    fflush(stdout);
    http_notify("READY=1");
    /* This thread, and those that it makes, only load again from here on: they give way to those
     * that answer. */
    (void)setpriority(PRIO_PROCESS, 0, RELOAD_NICE);
    int signal_number = wait_for_end(loop);
    http_notify("STOPPING=1");
    srv_message(SRV_INFO, "vmcpd: stopping on %s", signal_number == SIGINT ? "SIGINT" : "SIGTERM");
    srv_exporter_stop(&loop->exporter);
    srv_transport_stop(transport, &loop->transport, is_urgent, loop);
    return 0;
}

static void close_loop(struct loop *loop)
{
    http_listener_close(&loop->control);
    if (loop->signals >= 0)
        close(loop->signals);
    srv_watch_end(&loop->watch);
    srv_service_clear(&loop->service);
}

static int run(const struct srv_settings *settings, struct vmcp_error *err)
{
    struct loop loop = {.exporter = SRV_EXPORTER_OFF,
                        .control = HTTP_LISTENER_NONE,
                        .signals = -1,
                        .watch = SRV_WATCH_OFF};
    struct srv_snapshot *snapshot = NULL;
    int rc = 0;
    if (settings->watch && srv_watch_begin(&loop.watch, settings, err) < 0)
        rc = vmcp_error_option(err, "watch", NULL);
    if (rc == 0)
        rc = srv_load(settings, &snapshot, err);
    if (rc < 0) {
        srv_watch_end(&loop.watch);
        return rc;
    }
    print_loaded(settings, snapshot);
    srv_service_init(&loop.service, settings, snapshot);
    if (settings->check) {
        rc = srv_check(settings, snapshot, err);
    } else {
        rc = srv_signals_open(&loop.signals, err);
        if (rc == 0)
            rc = serve(settings, &loop, err);
    }
    close_loop(&loop);
    return rc;
}

static void print_help(void)
{
    auto_buf struct vmcp_buf text = VMCP_BUF(16384);
    vmcp_command_help(&srv_command, &text);
    fputs(text.data ? text.data : "", stdout);
}

int main(int argc, char **argv)
{
    struct vmcp_error err = {0};
    struct srv_settings settings = {0};
    auto_passphrase struct vmcp_passphrase pass = {0};
    bool help = false;
    srv_signals_hold();
    if (argc > 1 && strcmp(argv[1], "reload") == 0)
        return srv_verb_reload(argc - 1, argv + 1);
    int rc = argc > 1 ? srv_verb_check(argv[1], &err) : 0;
    if (rc == 0)
        rc = srv_settings_parse(argc, argv, &settings, &help, &err);
    if (rc == 0 && help) {
        print_help();
        return 0;
    }
    if (rc == 0 && settings.version) {
        puts("vmcpd " VMCP_VERSION);
        return 0;
    }
    if (settings.check)
        srv_message_without_times();
    if (rc == 0)
        rc = vmcp_passphrase_init(&pass, settings.passphrase, false, &err);
    settings.pass = &pass;
    if (rc == 0)
        rc = srv_privileges_lower(settings.user, &err);
    if (rc == 0)
        rc = run(&settings, &err);
    if (rc < 0)
        srv_privileges_explain(settings.user, &err);
    if (rc < 0)
        srv_message_error(&err);
    return rc < 0 ? vmcp_code_exit(err.code) : 0;
}
