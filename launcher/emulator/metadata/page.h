/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - the metadata server's error pages, which are HTML. */
#ifndef EMU_PAGE_H
#define EMU_PAGE_H

#include "http/server.h"

/* Fill the reply: "Error 404 (Not Found)!!1" and one sentence for people. */
void emu_page_reply(struct http_reply *reply, int status, const char *sentence);

#endif
