/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - GET /: what this server is, for people, and the same as JSON.
 *
 * The page is one document without any other resource: style and script stand in it, and its
 * Content-Security-Policy names them by their digests, so that nothing else runs. The script asks
 * for a machine and verifies the answer in the browser. Where it cannot run, the form comes back
 * here with the question as its query, and the page shows the signed answer.
 */
#ifndef SRV_PAGE_H
#define SRV_PAGE_H

#include "http/server.h"

/* A handler; `app` is the struct srv_service. */
void srv_page(void *app, const struct http_request *req, struct http_reply *reply);

#endif
