/* SPDX-License-Identifier: Apache-2.0 */
/* json_words.h - what is wrong with JSON, in words of those who write it by hand. */
#ifndef VMCP_JSON_WORDS_H
#define VMCP_JSON_WORDS_H

#include <stddef.h>

/* Of a text that jansson refused at the byte `offset` (of `len`, the last one of what it did not
 * expect) with the message `text_of`: what it is, which is `text_of` itself where there is nothing
 * better, and where it begins. Neither quotes the document: it may hold secrets. */
const char *vmcp_json_words(const char *text, size_t len, size_t offset, const char *text_of,
                            size_t *ret_offset);

#endif
