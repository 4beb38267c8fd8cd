/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that somebody else makes: the metadata server, or who writes a file. */
#include <stdio.h>
#include <string.h>

#include "cloud/metadata.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/json.h"
#include "source.h"

enum { ANSWER_MAX = 64 * 1024, FILE_LIFE = 600 /* then it is read again */ };

struct ambient {
    struct launch_source base;
    struct launch_metadata metadata;
    char *path;
};

static int fetch_metadata(struct launch_source *source, struct http_client *http,
                          struct launch_grant *ret, struct vmcp_error *err)
{
    struct ambient *a = (struct ambient *)source;
    auto_secret_buf struct vmcp_buf text = VMCP_BUF(ANSWER_MAX);
    json_auto_t *answer = NULL;
    bool found = false;
    a->metadata.http = http;
    a->metadata.end = a->base.end;
    int rc = launch_metadata_get(&a->metadata, "instance/service-accounts/default/token", &text,
                                 &found, err);
    if (rc < 0)
        return rc;
    if (!found)
        return vmcp_fail(err, VMCP_E_CREDENTIALS,
                         "this VM has no service account; give it one that may create instances, "
                         "or a key file with --credentials");
    if (vmcp_json_parse_object(text.data ? text.data : "", text.len, &answer, NULL) < 0)
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "its token document is not JSON");
    rc = launch_grant_read(answer, ret, err);
    vmcp_json_wipe(answer);
    return rc;
}

static int fetch_file(struct launch_source *source, struct http_client *http,
                      struct launch_grant *ret, struct vmcp_error *err)
{
    struct ambient *a = (struct ambient *)source;
    auto_secret_buf struct vmcp_buf text = VMCP_BUF(ANSWER_MAX);
    (void)http;
    int rc = vmcp_file_read(a->path, VMCP_FILE_PRIVATE, &text, err);
    if (rc < 0)
        return rc;
    if (text.len && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    return launch_grant_set(ret, text.data ? text.data : "", FILE_LIFE, err);
}

static void drop(struct launch_source *source)
{
    struct ambient *a = (struct ambient *)source;
    free(a->path);
    free(a);
}

static struct ambient *make(int (*fetch)(struct launch_source *, struct http_client *,
                                         struct launch_grant *, struct vmcp_error *))
{
    struct ambient *a = calloc(1, sizeof(*a));
    if (a)
        a->base = (struct launch_source){.fetch = fetch, .free = drop};
    return a;
}

int launch_source_metadata(const struct launch_metadata *metadata, struct launch_source **ret,
                           struct vmcp_error *err)
{
    struct ambient *a = make(fetch_metadata);
    if (!a)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
    a->metadata = *metadata;
    snprintf(a->base.name, sizeof(a->base.name), "the metadata server's service account");
    *ret = &a->base;
    return 0;
}

int launch_source_file(const char *path, struct launch_source **ret, struct vmcp_error *err)
{
    struct ambient *a = make(fetch_file);
    if (!a)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
    auto_source struct launch_source *made = &a->base;
    snprintf(a->base.name, sizeof(a->base.name), "the token file %s", path);
    if (!(a->path = strdup(path)))
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    *ret = steal(&made);
    return 0;
}
