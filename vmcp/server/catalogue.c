/* SPDX-License-Identifier: Apache-2.0 */
#include "catalogue.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/auto.h"
#include "lib/base64.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/respond.h"
#include "parallel.h"

struct srv_catalogue {
    struct srv_machine *machines; /* sorted by name */
    size_t count;
    size_t capacity;
    const struct srv_machine *fallback; /* the default machine, or NULL */
    char digest[65];
};

VMCP_DEFINE_AUTO(md_auto, EVP_MD_CTX *, EVP_MD_CTX_free)
VMCP_DEFINE_AUTO(catalogue_auto, struct srv_catalogue *, srv_catalogue_free)
#define auto_md        VMCP_AUTO(md_auto)
#define auto_catalogue VMCP_AUTO(catalogue_auto)

static void machine_clear(struct srv_machine *m)
{
    vmcp_config_clear(&m->config);
    vmcp_v1_draft_clear(&m->v1);
    vmcp_buf_clear(&m->v2);
}

void srv_catalogue_free(struct srv_catalogue *catalogue)
{
    for (size_t i = 0; catalogue && i < catalogue->count; i++)
        machine_clear(&catalogue->machines[i]);
    if (catalogue)
        free(catalogue->machines);
    free(catalogue);
}

static int grow(struct srv_catalogue *c, struct vmcp_error *err)
{
    if (c->count < c->capacity)
        return 0;
    if (c->count >= VMCP_MACHINES_MAX)
        return vmcp_fail(err, VMCP_E_LIMIT, "more than %d machines", VMCP_MACHINES_MAX);
    size_t capacity = c->capacity ? 2 * c->capacity : 64;
    struct srv_machine *machines = realloc(c->machines, capacity * sizeof(*machines));
    if (!machines)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for %zu machines", capacity);
    c->machines = machines;
    c->capacity = capacity;
    return 0;
}

/* Thousands of machines stay in memory: what the drafts say is kept nowhere else. */
static void slim(struct srv_machine *m)
{
    vmcp_buf_fit(&m->v2);
    vmcp_buf_fit(&m->v1.text);
    vmcp_buf_fit(&m->v1.json);
    json_decref(m->config.machine);
    m->config.machine = NULL;
}

/* What does not change from answer to answer is made once. */
static int prepare(struct srv_machine *m, bool with_v1, struct vmcp_error *err)
{
    const struct vmcp_config *c = &m->config;
    m->v2 = (struct vmcp_buf)VMCP_BUF(2 * VMCP_ANSWER_MAX);
    m->drafted = !c->macros;
    int rc = m->drafted ? vmcp_respond_draft(c, &m->v2, err) : 0;
    if (rc == 0 && with_v1 && m->drafted && !vmcp_config_needs_v2(c))
        rc = vmcp_v1_draft_make(c->machine, &m->v1, err);
    if (rc == 0 && m->drafted)
        slim(m);
    return rc;
}

/* Take over a machine. */
static int add(struct srv_catalogue *c, struct srv_machine *machine, struct vmcp_error *err)
{
    int rc = grow(c, err);
    if (rc < 0)
        return rc;
    c->machines[c->count++] = *machine;
    *machine = (struct srv_machine){0};
    return 0;
}

/* A file on its way into the catalogue. */
struct arrival {
    char *path;
    struct srv_machine machine;
    struct vmcp_diags diags;
    struct vmcp_error err;
    int rc;
};

struct arrivals {
    struct arrival *items;
    size_t count;
    bool with_v1;
};

static void arrivals_clear(struct arrivals *a)
{
    for (size_t i = 0; i < a->count; i++) {
        free(a->items[i].path);
        machine_clear(&a->items[i].machine);
        vmcp_diags_clear(&a->items[i].diags);
    }
    free(a->items);
}
#define auto_arrivals VMCP_AUTO(arrivals_clear)

static void read_arrival(void *arg, size_t i)
{
    const struct arrivals *all = arg;
    struct arrival *a = &all->items[i];
    a->rc = vmcp_config_load(a->path, &a->machine.config, &a->diags, &a->err);
    if (a->rc == 0)
        a->rc = prepare(&a->machine, all->with_v1, &a->err);
}

static int only_machine_files(const struct dirent *entry)
{
    return vmcp_config_is_file_name(entry->d_name);
}

static int list_folder(const char *folder, struct arrivals *ret, struct vmcp_error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, only_machine_files, alphasort), rc = 0;
    if (count < 0)
        return vmcp_fail_at(err, VMCP_E_CONFIG, folder,
                            "--configs: the folder cannot be opened: %s", strerror(errno));
    if (count > VMCP_MACHINES_MAX)
        rc = vmcp_fail_at(err, VMCP_E_LIMIT, folder, "more than %d machines", VMCP_MACHINES_MAX);
    ret->items = calloc((size_t)count + 1, sizeof(*ret->items));
    if (rc == 0 && !ret->items)
        rc = vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for %d machines", count);
    for (int i = 0; i < count; i++) {
        if (rc == 0)
            rc = vmcp_file_path(folder, entries[i]->d_name, &ret->items[ret->count++].path, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

/* One file's findings. Returns true if it is bad. */
static bool report_arrival(const struct arrival *a, srv_report report, void *arg)
{
    for (size_t i = 0; i < a->diags.count; i++)
        report(arg, a->path, a->diags.items[i].line, a->diags.items[i].column,
               a->diags.items[i].is_error, a->diags.items[i].text);
    if (a->rc < 0 && !a->diags.errors)
        report(arg, a->path, 0, 0, true, a->err.text);
    return a->rc < 0;
}

static int by_name(const void *a, const void *b)
{
    const struct srv_machine *x = a, *y = b;
    return strcmp(x->config.name, y->config.name);
}

/* What a machine is answered with: its draft, or the texts that its macros stand in. */
static bool digest_machine(EVP_MD_CTX *md, const struct srv_machine *m)
{
    char head[192];
    int n = snprintf(head, sizeof(head), "%s\n%lld %lld %d %d %zu\n", m->config.name,
                     (long long)m->config.serial, (long long)m->config.count, m->config.v1,
                     m->drafted, m->v2.len);
    if (!EVP_DigestUpdate(md, head, (size_t)n))
        return false;
    if (m->drafted)
        return EVP_DigestUpdate(md, m->v2.data, m->v2.len);
    auto_free char *machine = vmcp_json_text(m->config.machine, NULL);
    auto_free char *gce = m->config.gce ? vmcp_json_text(m->config.gce, NULL) : strdup("");
    return machine && gce && EVP_DigestUpdate(md, machine, strlen(machine) + 1) &&
           EVP_DigestUpdate(md, gce, strlen(gce) + 1);
}

static int digest(struct srv_catalogue *c, struct vmcp_error *err)
{
    auto_md EVP_MD_CTX *md = EVP_MD_CTX_new();
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    bool good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    for (size_t i = 0; good && i < c->count; i++)
        good = digest_machine(md, &c->machines[i]);
    if (!good || EVP_DigestFinal_ex(md, bytes, &len) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the catalogue's digest cannot be computed");
    vmcp_hex_encode(bytes, len, c->digest);
    return 0;
}

static int load_folder(struct srv_catalogue *c, const char *folder, bool with_v1, srv_report report,
                       void *arg, struct vmcp_error *err)
{
    auto_arrivals struct arrivals files = {.with_v1 = with_v1};
    size_t bad = 0;
    int rc = list_folder(folder, &files, err);
    if (rc < 0)
        return rc;
    srv_parallel(files.count, read_arrival, &files);
    for (size_t i = 0; rc == 0 && i < files.count; i++)
        if (report_arrival(&files.items[i], report, arg))
            bad++;
        else
            rc = add(c, &files.items[i].machine, err);
    if (rc < 0)
        return rc;
    if (bad)
        return vmcp_fail_at(err, VMCP_E_CONFIG, folder, "%zu machine file%s wrong", bad,
                            bad == 1 ? " is" : "s are");
    if (c->count == 0)
        return vmcp_fail_at(err, VMCP_E_CONFIG, folder,
                            "--configs: there is no machine file in it; NAME.json is wanted");
    return 0;
}

int srv_catalogue_load(const char *folder, bool with_v1, srv_report report, void *arg,
                       struct srv_catalogue **ret, struct vmcp_error *err)
{
    auto_catalogue struct srv_catalogue *c = calloc(1, sizeof(*c));
    if (!c)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a catalogue");
    int rc = load_folder(c, folder, with_v1, report, arg, err);
    if (rc < 0)
        return rc;
    qsort(c->machines, c->count, sizeof(*c->machines), by_name);
    rc = digest(c, err);
    if (rc < 0)
        return rc;
    c->fallback = c->count == 1 ? &c->machines[0] : NULL;
    *ret = steal(&c);
    return 0;
}

static int name_against(const void *name, const void *machine)
{
    return strcmp(name, ((const struct srv_machine *)machine)->config.name);
}

const struct srv_machine *srv_catalogue_find(const struct srv_catalogue *c, const char *name)
{
    if (!name)
        return c->fallback;
    return bsearch(name, c->machines, c->count, sizeof(*c->machines), name_against);
}

int srv_catalogue_set_default(struct srv_catalogue *c, const char *name, struct vmcp_error *err)
{
    c->fallback = srv_catalogue_find(c, name);
    if (!c->fallback)
        return vmcp_fail(err, VMCP_E_CONFIG, "--default %s: there is no machine of that name",
                         name);
    return 0;
}

bool srv_catalogue_keep_default(struct srv_catalogue *c, const struct srv_catalogue *old)
{
    if (!c->fallback)
        return true;
    if (old->fallback && strcmp(old->fallback->config.name, c->fallback->config.name) == 0)
        return true;
    c->fallback = NULL;
    return false;
}

size_t srv_catalogue_count(const struct srv_catalogue *c)
{
    return c->count;
}

const struct srv_machine *srv_catalogue_at(const struct srv_catalogue *c, size_t i)
{
    return &c->machines[i];
}

const char *srv_catalogue_digest(const struct srv_catalogue *c)
{
    return c->digest;
}
