/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - where access tokens come from: one kind of credential each.
 *
 * A source only knows how to get one more token; keeping it, and when to get the next, is token.h's
 * business. A source is used by one thread at a time.
 */
#ifndef LAUNCH_SOURCE_H
#define LAUNCH_SOURCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cloud/destination.h"
#include "cloud/metadata.h"
#include "http/client.h"
#include "keyfile.h"
#include "lib/auto.h"
#include "lib/error.h"

#define LAUNCH_SCOPE     "https://www.googleapis.com/auth/compute"
#define LAUNCH_SCOPE_IAM "https://www.googleapis.com/auth/cloud-platform"

/* One token, as it was given. */
struct launch_grant {
    char *token;     /* owned; wiped when it is cleared */
    int64_t seconds; /* that it is good for, from when it was asked for */
};
void launch_grant_clear(struct launch_grant *grant);
#define auto_grant VMCP_AUTO(launch_grant_clear)

/* Take a token over into a grant: its characters are those of a header line (RFC 6750, section
 * 2.1), its lifetime is 1 second to a day. VMCP_E_CREDENTIALS. */
VMCP_MUST_CHECK int launch_grant_set(struct launch_grant *grant, const char *token, int64_t seconds,
                                     struct vmcp_error *err);

/* The same from a token endpoint's answer: access_token, token_type, expires_in (RFC 6749, section
 * 5.1). */
VMCP_MUST_CHECK int launch_grant_read(const json_t *answer, struct launch_grant *ret,
                                      struct vmcp_error *err);

struct launch_source {
    int (*fetch)(struct launch_source *source, struct http_client *http, struct launch_grant *ret,
                 struct vmcp_error *err);
    void (*free)(struct launch_source *source);
    int64_t end;    /* launch_uptime_ms() at which a fetch has to be over; the caller's to set */
    char name[300]; /* for people: "key file k.json (vm1@…)" */
};
void launch_source_free(struct launch_source *source); /* NULL is fine */
VMCP_DEFINE_AUTO(launch_source_auto_, struct launch_source *, launch_source_free)
#define auto_source VMCP_AUTO(launch_source_auto_)

/* What a token is wanted for. All borrowed, for as long as the source lives. */
struct launch_purpose {
    const struct launch_destinations *rules;
    const char *scope;
    const char *audience; /* origin that it is sent to, with a slash at the end */
    bool self_signed;     /* no token endpoint: sign a JWT that is the token (AIP-4111) */
    const char *iam;      /* base of the IAM Credentials API, with a slash at the end */
    const char *metadata; /* base of the metadata server; "": there is none */
};

/* Each makes a source; `where` names the file or attribute, `document` (borrowed) is what it says.
 * Errors: VMCP_E_CREDENTIALS for what is missing in it or would go where no credential goes. */
VMCP_MUST_CHECK int launch_source_service_account(const char *where, const json_t *document,
                                                  const struct launch_purpose *purpose,
                                                  struct launch_source **ret,
                                                  struct vmcp_error *err);
VMCP_MUST_CHECK int launch_source_user(const char *where, const json_t *document,
                                       const struct launch_purpose *purpose,
                                       struct launch_source **ret, struct vmcp_error *err);
VMCP_MUST_CHECK int launch_source_external(const char *where, const json_t *document,
                                           const struct launch_purpose *purpose,
                                           struct launch_source **ret, struct vmcp_error *err);

/* The metadata server that we run beside. It is copied: a source has an HTTP client of its own. */
VMCP_MUST_CHECK int launch_source_metadata(const struct launch_metadata *metadata,
                                           struct launch_source **ret, struct vmcp_error *err);

/* A file that holds an access token and nothing else; somebody else renews it. */
VMCP_MUST_CHECK int launch_source_file(const char *path, struct launch_source **ret,
                                       struct vmcp_error *err);

/* Act as a service account, by way of `base`, which is taken in every case. `url` is that of its
 * generateAccessToken; `delegates` (an array of e-mail addresses, borrowed; NULL: none) are the
 * accounts between, each allowed to act as the next. */
VMCP_MUST_CHECK int launch_source_impersonated(struct launch_source *base, const char *url,
                                               const json_t *delegates, int64_t lifetime,
                                               const struct launch_purpose *purpose,
                                               struct launch_source **ret, struct vmcp_error *err);
/* Identity tokens (OpenID Connect) for `audience` (copied), whoever that is: of a key's account, of
 * the VM's own, or of another account by way of `base`, which is taken in every case; `url` is then
 * that of its generateIdToken. What else a source is made from is as above. */
VMCP_MUST_CHECK int launch_identity_service_account(const char *where, const json_t *document,
                                                    const struct launch_purpose *purpose,
                                                    const char *audience,
                                                    struct launch_source **ret,
                                                    struct vmcp_error *err);
VMCP_MUST_CHECK int launch_identity_metadata(const struct launch_metadata *metadata,
                                             const char *audience, struct launch_source **ret,
                                             struct vmcp_error *err);
VMCP_MUST_CHECK int launch_identity_impersonated(struct launch_source *base, const char *url,
                                                 const struct launch_purpose *purpose,
                                                 const char *audience, struct launch_source **ret,
                                                 struct vmcp_error *err);

/* The URL of an account's generateAccessToken or of another method. New string, free(). */
VMCP_MUST_CHECK int launch_impersonation_url(const char *iam, const char *email, char **ret,
                                             struct vmcp_error *err);
VMCP_MUST_CHECK int launch_iam_url(const char *iam, const char *email, const char *method,
                                   char **ret, struct vmcp_error *err);

#endif
