/* SPDX-License-Identifier: Apache-2.0 */
#include "catalogue.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/auto.h"
#include "lib/base64.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/respond.h"
#include "parallel.h"

/* All of one kind. */
struct shelf {
    struct srv_machine *items; /* sorted by name */
    size_t count;
    size_t capacity;
};

struct srv_catalogue {
    struct shelf shelves[VMCP_KINDS];
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

static void shelf_clear(struct shelf *shelf)
{
    for (size_t i = 0; i < shelf->count; i++)
        machine_clear(&shelf->items[i]);
    free(shelf->items);
}

void srv_catalogue_free(struct srv_catalogue *catalogue)
{
    for (int kind = 0; catalogue && kind < VMCP_KINDS; kind++)
        shelf_clear(&catalogue->shelves[kind]);
    free(catalogue);
}

static int grow(struct shelf *s, struct vmcp_error *err)
{
    if (s->count < s->capacity)
        return 0;
    size_t capacity = s->capacity ? 2 * s->capacity : 64;
    struct srv_machine *items = realloc(s->items, capacity * sizeof(*items));
    if (!items)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for %zu machines", capacity);
    s->items = items;
    s->capacity = capacity;
    return 0;
}

/* Thousands of machines stay in memory: what the drafts say is kept nowhere else. */
static void slim(struct srv_machine *m)
{
    vmcp_buf_fit(&m->v2);
    vmcp_buf_fit(&m->v1.text);
    vmcp_buf_fit(&m->v1.json);
    json_decref(m->config.machine);
    json_decref(m->config.job);
    m->config.machine = m->config.job = NULL;
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

/* Take over a machine or job. */
static int add(struct shelf *s, struct srv_machine *machine, struct vmcp_error *err)
{
    int rc = grow(s, err);
    if (rc < 0)
        return rc;
    s->items[s->count++] = *machine;
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
    enum vmcp_kind kind;
    const struct srv_catalogue_options *options;
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
    bool is_job = all->kind == VMCP_KIND_JOB;
    a->diags.universe = all->options->universe;
    a->rc = vmcp_config_load_as(is_job ? VMCP_WANT_JOB : VMCP_WANT_MACHINE, a->path,
                                &a->machine.config, &a->diags, &a->err);
    if (a->rc == 0)
        a->rc = prepare(&a->machine, all->options->with_v1, &a->err);
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
        rc = vmcp_fail_at(err, VMCP_E_LIMIT, folder, "more than %d %ss", VMCP_MACHINES_MAX,
                          vmcp_kind_name(ret->kind));
    ret->items = calloc((size_t)count + 1, sizeof(*ret->items));
    if (rc == 0 && !ret->items)
        rc = vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for %d files", count);
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

static bool digest_shelf(EVP_MD_CTX *md, const struct shelf *s)
{
    bool good = true;
    for (size_t i = 0; good && i < s->count; i++)
        good = digest_machine(md, &s->items[i]);
    return good;
}

/* Without jobs it is the digest of the machines alone. */
static int digest(struct srv_catalogue *c, struct vmcp_error *err)
{
    const struct shelf *jobs = &c->shelves[VMCP_KIND_JOB];
    auto_md EVP_MD_CTX *md = EVP_MD_CTX_new();
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    bool good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
                digest_shelf(md, &c->shelves[VMCP_KIND_MACHINE]) &&
                (!jobs->count || EVP_DigestUpdate(md, "jobs\n", 5)) && digest_shelf(md, jobs);
    if (!good || EVP_DigestFinal_ex(md, bytes, &len) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the catalogue's digest cannot be computed");
    vmcp_hex_encode(bytes, len, c->digest);
    return 0;
}

static int load_folder(struct shelf *shelf, struct arrivals *files, const char *folder,
                       srv_report report, void *arg, struct vmcp_error *err)
{
    size_t bad = 0;
    int rc = list_folder(folder, files, err);
    if (rc < 0)
        return rc;
    srv_parallel(files->count, read_arrival, files);
    for (size_t i = 0; rc == 0 && i < files->count; i++)
        if (report_arrival(&files->items[i], report, arg))
            bad++;
        else
            rc = add(shelf, &files->items[i].machine, err);
    if (rc < 0)
        return rc;
    if (bad)
        return vmcp_fail_at(err, VMCP_E_CONFIG, folder, "%zu %s file%s wrong", bad,
                            vmcp_kind_name(files->kind), bad == 1 ? " is" : "s are");
    if (shelf->count)
        qsort(shelf->items, shelf->count, sizeof(*shelf->items), by_name);
    return 0;
}

/* Both kinds are read before either is given up: all that is wrong is told at once. */
static int load_all(struct srv_catalogue *c, const struct srv_catalogue_options *options,
                    srv_report report, void *arg, struct vmcp_error *err)
{
    auto_arrivals struct arrivals machines = {.kind = VMCP_KIND_MACHINE, .options = options};
    auto_arrivals struct arrivals jobs = {.kind = VMCP_KIND_JOB, .options = options};
    auto_free char *folder = NULL;
    struct vmcp_error job_err = {0};
    int job_rc = 0;
    int rc = vmcp_file_path(options->folder, VMCP_JOBS_FOLDER, &folder, err);
    if (rc < 0)
        return rc;
    rc = load_folder(&c->shelves[VMCP_KIND_MACHINE], &machines, options->folder, report, arg, err);
    if (access(folder, F_OK) == 0 || errno != ENOENT)
        job_rc = load_folder(&c->shelves[VMCP_KIND_JOB], &jobs, folder, report, arg, &job_err);
    if (rc == 0 && job_rc < 0)
        return vmcp_fail_at(err, job_err.code, job_err.where, "%s", job_err.text);
    if (rc == 0 && machines.count + jobs.count == 0)
        return vmcp_fail_at(err, VMCP_E_CONFIG, options->folder,
                            "--configs: there is no machine file in it; NAME.json is wanted");
    return rc;
}

int srv_catalogue_load(const struct srv_catalogue_options *options, srv_report report, void *arg,
                       struct srv_catalogue **ret, struct vmcp_error *err)
{
    auto_catalogue struct srv_catalogue *c = calloc(1, sizeof(*c));
    if (!c)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a catalogue");
    int rc = load_all(c, options, report, arg, err);
    if (rc == 0)
        rc = digest(c, err);
    if (rc < 0)
        return rc;
    const struct shelf *machines = &c->shelves[VMCP_KIND_MACHINE];
    c->fallback = machines->count == 1 ? &machines->items[0] : NULL;
    *ret = steal(&c);
    return 0;
}

static int name_against(const void *name, const void *machine)
{
    return strcmp(name, ((const struct srv_machine *)machine)->config.name);
}

const struct srv_machine *srv_catalogue_find(const struct srv_catalogue *c, enum vmcp_kind kind,
                                             const char *name)
{
    const struct shelf *s = &c->shelves[kind];
    if (!name)
        return kind == VMCP_KIND_MACHINE ? c->fallback : NULL;
    return s->count ? bsearch(name, s->items, s->count, sizeof(*s->items), name_against) : NULL;
}

int srv_catalogue_set_default(struct srv_catalogue *c, const char *name, struct vmcp_error *err)
{
    c->fallback = srv_catalogue_find(c, VMCP_KIND_MACHINE, name);
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

size_t srv_catalogue_count(const struct srv_catalogue *c, enum vmcp_kind kind)
{
    return c->shelves[kind].count;
}

const struct srv_machine *srv_catalogue_at(const struct srv_catalogue *c, enum vmcp_kind kind,
                                           size_t i)
{
    return &c->shelves[kind].items[i];
}

const char *srv_catalogue_text(const struct srv_catalogue *c, char ret[static SRV_CATALOGUE_CHARS])
{
    size_t machines = c->shelves[VMCP_KIND_MACHINE].count, jobs = c->shelves[VMCP_KIND_JOB].count;
    int n = snprintf(ret, SRV_CATALOGUE_CHARS, "%zu machine%s", machines, machines == 1 ? "" : "s");
    if (jobs)
        snprintf(ret + n, SRV_CATALOGUE_CHARS - (size_t)n, ", %zu job%s", jobs,
                 jobs == 1 ? "" : "s");
    return ret;
}

const char *srv_catalogue_digest(const struct srv_catalogue *c)
{
    return c->digest;
}
