/* SPDX-License-Identifier: Apache-2.0 */
/* ends.h - why a server ended a connection by itself, before its client did. */
#ifndef HTTP_ENDS_H
#define HTTP_ENDS_H

/* X(symbol, label, what to tell) */
#define HTTP_ENDS(X)                                                                           \
    X(HEADER_TIMEOUT, "header-timeout",                                                        \
      "no end of its handshake, or of a request's head, in time")                              \
    X(TRANSFER_TIMEOUT, "transfer-timeout", "a body or an answer did not get through in time") \
    X(IDLE, "idle-timeout", "nothing came for a while")                                        \
    X(FULL, "max-connections", "all places are taken, and another needed one")                 \
    X(SHARE, "max-connections-each", "its address has its share of connections")               \
    X(RATE, "connection-rate", "its address connects too often")                               \
    X(DESCRIPTORS, "descriptors", "descriptors ran out")                                       \
    X(NO_CERTIFICATE, "client-certificate-missing", "it shows no client certificate")          \
    X(EXPIRED_CERTIFICATE, "client-certificate-expired",                                       \
      "its client certificate is not valid now")                                               \
    X(BAD_CERTIFICATE, "client-certificate-refused",                                           \
      "its client certificate does not verify against --client-ca for a client")               \
    X(HANDSHAKE, "tls-handshake", "its TLS handshake failed")

enum http_end {
    HTTP_END_NONE, /* its client did, or the server stops */
#define HTTP_END_ENUM(symbol, label, text) HTTP_END_##symbol,
    HTTP_ENDS(HTTP_END_ENUM)
#undef HTTP_END_ENUM
        HTTP_END_COUNT
};

/* Of a label ("idle-timeout"), and for people; "" for what is none. */
const char *http_end_label(enum http_end end);
const char *http_end_text(enum http_end end);

#endif
