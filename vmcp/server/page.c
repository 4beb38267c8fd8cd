/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include <openssl/evp.h>
#include <string.h>
#include <time.h>

#include "assets.h"
#include "facts.h"
#include "lib/accept.h"
#include "lib/auto.h"
#include "lib/buf.h"
#include "lib/limits.h"
#include "service.h"

enum { PAGE_MAX = 4 * VMCP_ANSWER_MAX, POLICY_CHARS = 512 };

/* What a page is made of. */
struct view {
    const struct srv_service *service;
    const struct srv_snapshot *snapshot;
    const struct http_request *req;
    const struct http_reply *reply; /* the signed answer or the refusal; NULL: nothing was asked */
    int64_t now;
};

/* Text that nobody here wrote. */
static void add_escaped(struct vmcp_buf *b, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '&':
            vmcp_buf_adds(b, "&amp;");
            break;
        case '<':
            vmcp_buf_adds(b, "&lt;");
            break;
        case '>':
            vmcp_buf_adds(b, "&gt;");
            break;
        case '"':
            vmcp_buf_adds(b, "&quot;");
            break;
        case '\'':
            vmcp_buf_adds(b, "&#39;");
            break;
        default:
            vmcp_buf_addc(b, text[i]);
        }
    }
}

static void add_text(struct vmcp_buf *b, const char *text)
{
    add_escaped(b, text, strlen(text));
}

static void put_domain(struct vmcp_buf *b, const struct view *v)
{
    add_text(b, v->service->settings->domain);
}

static void put_version(struct vmcp_buf *b, const struct view *v)
{
    (void)v;
    vmcp_buf_adds(b, VMCP_VERSION);
}

static void put_css(struct vmcp_buf *b, const struct view *v)
{
    (void)v;
    vmcp_buf_adds(b, srv_asset_css);
}

static void put_js(struct vmcp_buf *b, const struct view *v)
{
    (void)v;
    vmcp_buf_adds(b, srv_asset_js);
}

static void put_param(struct vmcp_buf *b, const struct view *v, const char *name)
{
    const char *value = http_request_param(v->req, name);
    if (value)
        add_text(b, value);
}

static void put_vm(struct vmcp_buf *b, const struct view *v)
{
    put_param(b, v, "vm");
}

static void put_hostid(struct vmcp_buf *b, const struct view *v)
{
    put_param(b, v, "cvm_hostid");
}

static void put_keys(struct vmcp_buf *b, const struct view *v)
{
    for (size_t i = 0; i < v->snapshot->ring.count; i++) {
        const struct vmcp_keyring_entry *e = &v->snapshot->ring.entries[i];
        if (!srv_facts_publishes(v->snapshot, e, v->now))
            continue;
        vmcp_buf_addf(b, "<tr><td>%s</td><td>%s</td><td>%s</td></tr>\n",
                      vmcp_key_thumbprint(e->key), vmcp_key_type_name(e->key),
                      vmcp_key_state_name(e->state));
    }
}

/* Names need no escaping, by their own rule; escaped they are all the same. */
static void put_names(struct vmcp_buf *b, const struct view *v, enum vmcp_kind kind,
                      const char *before, const char *after)
{
    const struct srv_catalogue *c = v->snapshot->catalogue;
    size_t count = srv_catalogue_count(c, kind);
    for (size_t i = 0; i < count && i < SRV_NAMES_SHOWN; i++) {
        vmcp_buf_adds(b, before);
        add_text(b, srv_catalogue_at(c, kind, i)->config.name);
        vmcp_buf_adds(b, after);
    }
}

static void put_list(struct vmcp_buf *b, const struct view *v)
{
    if (v->service->settings->list_machines)
        vmcp_buf_adds(b, " list=\"names\"");
}

static void put_datalist(struct vmcp_buf *b, const struct view *v)
{
    if (!v->service->settings->list_machines)
        return;
    vmcp_buf_adds(b, "<datalist id=\"names\">");
    put_names(b, v, VMCP_KIND_MACHINE, "<option value=\"", "\">");
    vmcp_buf_adds(b, "</datalist>");
}

static void put_section(struct vmcp_buf *b, const struct view *v, enum vmcp_kind kind,
                        const char *id, const char *title)
{
    size_t count = srv_catalogue_count(v->snapshot->catalogue, kind);
    vmcp_buf_addf(b,
                  "<section aria-labelledby=\"%s-title\">\n"
                  "<h2 id=\"%s-title\">%s</h2>\n<ul class=\"names\">\n",
                  id, id, title);
    put_names(b, v, kind, "<li><code>", "</code></li>\n");
    vmcp_buf_adds(b, "</ul>\n");
    if (count > SRV_NAMES_SHOWN)
        vmcp_buf_addf(b, "<p class=\"note\">And %zu more.</p>\n", count - SRV_NAMES_SHOWN);
    vmcp_buf_adds(b, "</section>");
}

static void put_machines(struct vmcp_buf *b, const struct view *v)
{
    if (!v->service->settings->list_machines)
        return;
    put_section(b, v, VMCP_KIND_MACHINE, "machines", "Machines");
    if (srv_catalogue_count(v->snapshot->catalogue, VMCP_KIND_JOB))
        put_section(b, v, VMCP_KIND_JOB, "jobs", "Jobs");
}

static void put_jobs(struct vmcp_buf *b, const struct view *v)
{
    vmcp_buf_addf(b, "%zu", srv_catalogue_count(v->snapshot->catalogue, VMCP_KIND_JOB));
}

static void put_count(struct vmcp_buf *b, const struct view *v)
{
    vmcp_buf_addf(b, "%zu", srv_catalogue_count(v->snapshot->catalogue, VMCP_KIND_MACHINE));
}

static void put_generation(struct vmcp_buf *b, const struct view *v)
{
    vmcp_buf_addf(b, "%u", v->snapshot->generation);
}

static void put_digest(struct vmcp_buf *b, const struct view *v)
{
    vmcp_buf_adds(b, srv_catalogue_digest(v->snapshot->catalogue));
}

static void put_loaded(struct vmcp_buf *b, const struct view *v)
{
    time_t loaded = v->snapshot->loaded;
    char text[64] = "";
    struct tm tm;
    gmtime_r(&loaded, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
    vmcp_buf_adds(b, text);
}

/* For who has no script. */
static void put_answer(struct vmcp_buf *b, const struct view *v)
{
    const struct http_reply *r = v->reply;
    if (!r)
        return;
    vmcp_buf_adds(b, "<section aria-labelledby=\"answer-title\">\n");
    if (r->code != VMCP_OK) {
        vmcp_buf_addf(b,
                      "<h2 id=\"answer-title\">Refused: %s</h2>\n<div class=\"box bad\"><p>%s."
                      "</p></div>\n<pre id=\"answer\" tabindex=\"0\">",
                      vmcp_code_name(r->code), vmcp_code_meaning(r->code));
    } else {
        vmcp_buf_adds(b, "<h2 id=\"answer-title\">The signed answer</h2>\n<p>Nothing has verified "
                         "it yet. <code>vmcp verify --trust KEY.pub --domain ");
        put_domain(b, v);
        vmcp_buf_adds(b, " --salt ");
        put_param(b, v, "cvm_salt");
        vmcp_buf_adds(b, " --hostid ");
        put_hostid(b, v);
        vmcp_buf_adds(b, "</code> does, with this as its input:</p>\n"
                         "<pre id=\"answer\" tabindex=\"0\">");
    }
    if (r->body)
        add_escaped(b, r->body, r->body_len);
    vmcp_buf_adds(b, "</pre>\n</section>");
}

static const struct {
    const char *name;
    void (*put)(struct vmcp_buf *b, const struct view *v);
} parts[] = {
    {"domain", put_domain}, {"version", put_version},
    {"css", put_css},       {"js", put_js},
    {"vm", put_vm},         {"hostid", put_hostid},
    {"keys", put_keys},     {"machines", put_machines},
    {"list", put_list},     {"datalist", put_datalist},
    {"count", put_count},   {"generation", put_generation},
    {"digest", put_digest}, {"loaded", put_loaded},
    {"answer", put_answer}, {"jobs", put_jobs},
};

static void put_part(struct vmcp_buf *b, const struct view *v, const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (strlen(parts[i].name) == len && memcmp(parts[i].name, name, len) == 0)
            parts[i].put(b, v);
}

/* The template, with each {{part}} filled in. What was filled in is not looked through again. */
static void put_page(struct vmcp_buf *b, const struct view *v)
{
    const char *rest = srv_asset_html, *open, *close;
    while ((open = strstr(rest, "{{")) && (close = strstr(open, "}}"))) {
        vmcp_buf_add(b, rest, (size_t)(open - rest));
        put_part(b, v, open + 2, (size_t)(close - open) - 2);
        rest = close + 2;
    }
    vmcp_buf_adds(b, rest);
}

static void add_digest(struct vmcp_buf *policy, const char *directive, const char *text)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned char base64[2 * EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_Digest(text, strlen(text), digest, &len, EVP_sha256(), NULL) != 1)
        return; /* then nothing of it runs */
    EVP_EncodeBlock(base64, digest, (int)len);
    vmcp_buf_addf(policy, " %s 'sha256-%s';", directive, (const char *)base64);
}

static void set_headers(struct http_reply *reply)
{
    auto_buf struct vmcp_buf policy = VMCP_BUF(POLICY_CHARS);
    vmcp_buf_adds(&policy, "default-src 'none';");
    add_digest(&policy, "script-src", srv_asset_js);
    add_digest(&policy, "style-src", srv_asset_css);
    vmcp_buf_adds(&policy, " connect-src 'self'; form-action 'self'; base-uri 'none';"
                           " frame-ancestors 'none'");
    if (policy.data)
        http_reply_header(reply, "Content-Security-Policy", policy.data);
    http_reply_header(reply, "X-Content-Type-Options", "nosniff");
    http_reply_header(reply, "Referrer-Policy", "no-referrer");
}

/* The question of a form: fields that were left empty were not asked. */
static void ask(struct srv_service *service, const struct http_request *req,
                struct http_reply *reply)
{
    struct http_request question = *req;
    question.param_count = 0;
    for (size_t i = 0; i < req->param_count; i++)
        if (req->params[i].value_len > 0)
            question.params[question.param_count++] = req->params[i];
    srv_service_answer(service, VMCP_KIND_MACHINE, &question, NULL, "application/jose", reply);
}

static void send_html(struct srv_service *service, const struct http_request *req,
                      struct http_reply *reply)
{
    auto_buf struct vmcp_buf page = VMCP_BUF(PAGE_MAX);
    auto_snapshot struct srv_snapshot *snapshot = srv_service_hold(service);
    struct view view = {.service = service, .snapshot = snapshot, .req = req, .now = time(NULL)};
    struct vmcp_error err = {0};
    size_t len = 0;
    if (req->param_count > 0) {
        ask(service, req, reply);
        view.reply = reply;
    } else {
        http_reply_header(reply, "Cache-Control", "no-cache");
        http_reply_header(reply, "Vary", "Accept");
    }
    put_page(&page, &view);
    if (vmcp_buf_check(&page, "the page", &err) < 0) {
        http_reply_problem(reply, 500, err.code, err.text);
        return;
    }
    set_headers(reply);
    char *body = vmcp_buf_steal(&page, &len);
    http_reply_take(reply, view.reply ? reply->status : 200, "text/html; charset=utf-8", body, len);
}

void srv_page(void *app, const struct http_request *req, struct http_reply *reply)
{
    struct srv_service *service = app;
    auto_free char *accept = http_request_header_list(req, "Accept");
    int json = vmcp_accept_quality(accept, "application/json");
    if (json <= 0 || json <= vmcp_accept_quality(accept, "text/html")) {
        send_html(service, req, reply);
        return;
    }
    auto_snapshot struct srv_snapshot *snapshot = srv_service_hold(service);
    json_auto_t *facts = srv_facts(service->settings, snapshot, time(NULL));
    http_reply_header(reply, "Cache-Control", "no-cache");
    http_reply_header(reply, "Vary", "Accept");
    http_reply_json(reply, 200, facts);
}
