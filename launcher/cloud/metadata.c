/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "lib/json.h"
#include "resource.h"

enum {
    TRIES = 4,
    VALUE_MAX = 1024 * 1024, /* all attributes of an instance are under 512 KB; escaped, twice */
    URL_SIZE = 8192,         /* an audience of 2,083 characters, each escaped */
    TIMEOUT_MS = 5000,
    PAUSE_MS = 1300
};

static bool on_compute_engine(void)
{
    char name[64] = "";
    auto_fclose FILE *f = fopen("/sys/class/dmi/id/product_name", "re");
    if (!f || !fgets(name, sizeof(name), f))
        return false;
    name[strcspn(name, "\n")] = '\0';
    return strcmp(name, "Google") == 0 || strcmp(name, "Google Compute Engine") == 0;
}

int launch_metadata_find(struct http_client *http, struct launch_metadata *ret,
                         struct vmcp_error *err)
{
    const char *host = getenv("GCE_METADATA_HOST");
    *ret = (struct launch_metadata){.http = http};
    if (!host || !*host) {
        if (!on_compute_engine())
            return 0;
        host = "169.254.169.254";
    }
    size_t len = strlen(host);
    if (len > 255 ||
        len != strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]"))
        return vmcp_fail(err, VMCP_E_USAGE, "GCE_METADATA_HOST: a host or host:port is wanted");
    snprintf(ret->base, sizeof(ret->base), "http://%s/computeMetadata/v1/", host);
    return 0;
}

bool launch_metadata_is_there(const struct launch_metadata *metadata)
{
    return metadata->base[0];
}

/* Milliseconds until `end`; at most those of one try. */
static int time_left(const struct launch_metadata *metadata)
{
    int64_t left = metadata->end ? metadata->end - launch_uptime_ms() : TIMEOUT_MS;
    return left < 1 ? 1 : left < TIMEOUT_MS ? (int)left : TIMEOUT_MS;
}

static int get_once(const struct launch_metadata *metadata, const char *url, struct vmcp_buf *out,
                    long *ret_status, struct vmcp_error *err)
{
    static const char *const flavor[] = {"Metadata-Flavor: Google", NULL};
    auto_response struct http_response response = {0};
    struct http_exchange exchange = {.url = url,
                                     .headers = flavor,
                                     .direct = true, /* it hands out tokens */
                                     .max_body = VALUE_MAX,
                                     .connect_timeout_ms = TIMEOUT_MS,
                                     .total_timeout_ms = time_left(metadata)};
    int rc = http_client_do(metadata->http, &exchange, &response, err);
    if (rc < 0)
        return rc;
    *ret_status = response.status;
    if (response.status == 200)
        vmcp_buf_add(out, response.body.data, response.body.len);
    if (response.body.data)
        explicit_bzero(response.body.data, response.body.len); /* it may have been a token */
    return vmcp_buf_check(out, "the metadata value", err);
}

int launch_metadata_get(const struct launch_metadata *metadata, const char *path,
                        struct vmcp_buf *out, bool *ret_found, struct vmcp_error *err)
{
    char url[URL_SIZE];
    int n = snprintf(url, sizeof(url), "%s%s", metadata->base, path);
    if (n < 0 || (size_t)n >= sizeof(url)) /* cut, it would ask for something else */
        return vmcp_fail(err, VMCP_E_LIMIT, "a question to the metadata server is over %d bytes",
                         URL_SIZE - 1);
    for (int i = 1;; i++) {
        long status = 0;
        int rc = get_once(metadata, url, out, &status, err);
        if (rc == 0 && (status == 200 || status == 404)) {
            *ret_found = status == 200;
            return 0;
        }
        bool again = rc == -VMCP_E_NETWORK || rc == -VMCP_E_TIMEOUT || status == 429 ||
                     (status >= 500 && status <= 599);
        if (rc == 0)
            rc = vmcp_fail(err, VMCP_E_NETWORK, "the metadata server answers %ld for %s", status,
                           path);
        bool over = metadata->end && launch_uptime_ms() + PAUSE_MS >= metadata->end;
        if (!again || over || i == TRIES)
            return vmcp_fail_at(err, VMCP_E_NETWORK, metadata->base, "%s", err->text);
        launch_sleep_ms(i == 1 ? 300 : PAUSE_MS);
    }
}

int launch_metadata_attributes(const struct launch_metadata *metadata, json_t **ret,
                               struct vmcp_error *err)
{
    auto_secret_buf struct vmcp_buf text = VMCP_BUF(VALUE_MAX);
    bool found = false;
    int rc = launch_metadata_get(metadata, "instance/attributes/?recursive=true&alt=json", &text,
                                 &found, err);
    if (rc < 0)
        return rc;
    if (!found) {
        *ret = json_object();
        return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for attributes");
    }
    rc = vmcp_json_parse_object(text.data ? text.data : "", text.len, ret, err);
    return rc < 0 ? vmcp_fail(err, VMCP_E_NETWORK, "the metadata server's attributes: %s: %s",
                              err->where, err->text)
                  : 0;
}

int launch_metadata_word(const struct launch_metadata *metadata, const char *path, char **ret,
                         struct vmcp_error *err)
{
    auto_buf struct vmcp_buf text = VMCP_BUF(VALUE_MAX);
    bool found = false;
    *ret = NULL;
    if (!launch_metadata_is_there(metadata))
        return 0;
    int rc = launch_metadata_get(metadata, path, &text, &found, err);
    if (rc < 0 || !found || !text.len)
        return rc;
    *ret = strdup(launch_last_part(text.data));
    return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for %s", path);
}
