/* SPDX-License-Identifier: Apache-2.0 */
#include "reload.h"

#include <malloc.h>

#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "http/notify.h"
#include "lib/auto.h"
#include "lib/buf.h"
#include "message.h"

/* What was found, for who asked for the reload: the first of it. */
struct findings {
    json_t *lines;
    size_t more; /* that are only in the log */
};

/* A finding is logged at once and kept for who asked for the reload. */
static void report(void *arg, const char *path, size_t line, size_t column, bool is_error,
                   const char *text)
{
    struct findings *findings = arg;
    const char *kind = is_error ? "error" : "warning";
    auto_buf struct vmcp_buf b = VMCP_BUF(SRV_CONTROL_LINE_MAX);
    vmcp_buf_adds(&b, path);
    if (line)
        vmcp_buf_addf(&b, ":%zu:%zu", line, column);
    vmcp_buf_addf(&b, ": %s: %s", kind, text);
    if (b.failed || !b.data)
        return;
    vmcp_text_clean(b.data);
    srv_message(is_error ? SRV_ERROR : SRV_WARNING, "%s", b.data);
    if (!findings)
        return;
    if (json_array_size(findings->lines) < SRV_CONTROL_LINES_MAX - 1)
        json_array_append_new(findings->lines, json_string(b.data));
    else
        findings->more++;
}

/* Loading leaves holes of all sizes behind, and a set that was replaced one as large as itself: the
 * C library would keep them until the process ends. */
static void give_memory_back(void)
{
    (void)malloc_trim(0);
}

int srv_load(const struct srv_settings *settings, struct srv_snapshot **ret, struct vmcp_error *err)
{
    int rc = srv_snapshot_load(settings, report, NULL, ret, err);
    give_memory_back();
    return rc;
}

static void log_outcome(const struct srv_service *service, const char *why,
                        const struct vmcp_error *err)
{
    const struct srv_snapshot *s = service->snapshot;
    const struct vmcp_key *key = vmcp_keyring_signing_key(&s->ring, false);
    char held[SRV_CATALOGUE_CHARS];
    if (err)
        srv_message(SRV_ERROR, "vmcpd: error: reload (%s) failed, the old set stays: %s%s%s [%s]",
                    why, err->where, err->where[0] ? ": " : "", err->text,
                    vmcp_code_name(err->code));
    else
        srv_message(SRV_INFO,
                    "vmcpd: reload (%s): %s, catalogue %.12s, generation %u, signed by %s", why,
                    srv_catalogue_text(s->catalogue, held), srv_catalogue_digest(s->catalogue),
                    s->generation, vmcp_key_thumbprint(key));
}

static void keep_default(const struct srv_service *service, struct srv_snapshot *snapshot)
{
    if (service->settings->fallback ||
        srv_catalogue_keep_default(snapshot->catalogue, service->snapshot->catalogue))
        return;
    srv_message(
        SRV_WARNING,
        "vmcpd: warning: %s is the only machine now, and not the default one: others may be "
        "on their way; `vmcpd reload` says that they are not, --default names one for good",
        srv_catalogue_at(snapshot->catalogue, VMCP_KIND_MACHINE, 0)->config.name);
}

int srv_reload(struct srv_service *service, const char *why, bool unasked, json_t **ret_findings,
               struct vmcp_error *err)
{
    struct srv_snapshot *snapshot = NULL;
    struct vmcp_error failure = {0};
    json_auto_t *lines = json_array();
    struct findings findings = {.lines = lines};
    char held[SRV_CATALOGUE_CHARS];
    http_notify_reloading();
    int rc = srv_snapshot_load(service->settings, report, &findings, &snapshot, &failure);
    if (rc == 0 && unasked)
        keep_default(service, snapshot);
    if (rc == 0) {
        srv_service_replace(service, snapshot);
        http_notify("READY=1\nSTATUS=%s, generation %u",
                    srv_catalogue_text(snapshot->catalogue, held), snapshot->generation);
    } else {
        srv_service_reload_failed(service, failure.code);
        http_notify("READY=1\nSTATUS=the last reload failed, the old set is served: %s",
                    failure.text);
    }
    give_memory_back();
    if (findings.more)
        json_array_append_new(
            lines, json_sprintf("and %zu more, which the server's log has", findings.more));
    log_outcome(service, why, rc < 0 ? &failure : NULL);
    if (ret_findings)
        *ret_findings = steal(&lines);
    if (rc < 0 && err)
        *err = failure;
    return rc;
}
