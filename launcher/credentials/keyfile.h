/* SPDX-License-Identifier: Apache-2.0 */
/* keyfile.h - a service account's key file, as Google makes them.
 *
 * Only `type: service_account` is taken. The private key goes into struct vmcp_key and nowhere
 * else; the document is wiped.
 */
#ifndef LAUNCH_KEYFILE_H
#define LAUNCH_KEYFILE_H

#include <jansson.h>
#include <stddef.h>

#include "lib/auto.h"
#include "lib/error.h"
#include "lib/key.h"

enum { LAUNCH_JWT_LIFE = 3600 - 10 }; /* seconds that what is signed here is good for */

#define LAUNCH_TOKEN_URI "https://oauth2.googleapis.com/token"

struct launch_keyfile {
    char *email;
    char *key_id;    /* private_key_id; NULL if absent */
    char *token_uri; /* never NULL */
    char *project;   /* NULL if absent */
    char *universe;  /* NULL if absent */
    struct vmcp_key *key;
};

/* Read one from a document (borrowed), or from its text; `where` names it in messages. Errors:
 * VMCP_E_CREDENTIALS. */
VMCP_MUST_CHECK int launch_keyfile_read(const char *where, const json_t *document,
                                        struct launch_keyfile *ret, struct vmcp_error *err);
VMCP_MUST_CHECK int launch_keyfile_parse(const char *where, const char *data, size_t len,
                                         struct launch_keyfile *ret, struct vmcp_error *err);

/* A signed assertion for the JWT bearer grant (RFC 7523): `audience` is the URL that it is sent
 * to, so that nobody else can use it. Good for an hour from `now`. New string, free(). */
VMCP_MUST_CHECK int launch_keyfile_assertion(const struct launch_keyfile *keyfile,
                                             const char *audience, const char *scope, long long now,
                                             char **ret, struct vmcp_error *err);

/* The same for an identity token for `target`, whoever that is. */
VMCP_MUST_CHECK int launch_keyfile_identity(const struct launch_keyfile *keyfile,
                                            const char *audience, const char *target, long long now,
                                            char **ret, struct vmcp_error *err);

/* A JWT that is itself the token, for nobody but `audience`, an origin with a slash at its end. */
VMCP_MUST_CHECK int launch_keyfile_token(const struct launch_keyfile *keyfile, const char *audience,
                                         long long now, char **ret, struct vmcp_error *err);

void launch_keyfile_clear(struct launch_keyfile *keyfile);
#define auto_keyfile VMCP_AUTO(launch_keyfile_clear)

#endif
