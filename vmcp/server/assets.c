/* SPDX-License-Identifier: Apache-2.0 */
#include "assets.h"

/* The assembler takes the files in as they are; their paths count from where make(1) runs. */
#define FILE(name) ".incbin \"vmcp/server/page/" name "\"\n"
#define ASSET(symbol, files)                                                                      \
    __asm__(".pushsection .rodata\n.globl " #symbol "\n.hidden " #symbol "\n" #symbol ":\n" files \
            ".byte 0\n.popsection\n")

ASSET(srv_asset_html, FILE("page.html"));
ASSET(srv_asset_css, FILE("page.css"));
ASSET(srv_asset_js, FILE("json.js") FILE("verify.js") FILE("machine.js") FILE("page.js"));
