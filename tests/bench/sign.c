/* SPDX-License-Identifier: Apache-2.0 */
/* sign - how long a signature takes: EVP_DigestSign with one key on one message, again and again.
 *
 * usage: sign KEY.pem DIGEST|- LENGTH SECONDS      prints nanoseconds of CPU time for each
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static EVP_PKEY *read_key(const char *path)
{
    FILE *f = fopen(path, "r");
    EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
    if (f)
        fclose(f);
    return key;
}

int main(int argc, char **argv)
{
    unsigned char sig[1024];
    if (argc != 5)
        return 2;
    EVP_PKEY *key = read_key(argv[1]);
    const char *digest = strcmp(argv[2], "-") == 0 ? NULL : argv[2];
    size_t len = (size_t)atol(argv[3]);
    double seconds = atof(argv[4]);
    unsigned char *message = malloc(len + 1);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!key || !message || !ctx)
        return 1;
    memset(message, 'x', len);
    long count = 0;
    double begin = cpu_seconds(), now = begin;
    while (now - begin < seconds) {
        for (int i = 0; i < 50; i++, count++) {
            size_t sig_len = sizeof(sig);
            EVP_MD_CTX_reset(ctx);
            if (EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL) != 1 ||
                EVP_DigestSign(ctx, sig, &sig_len, message, len) != 1) {
                ERR_print_errors_fp(stderr);
                return 1;
            }
        }
        now = cpu_seconds();
    }
    printf("%.1f\n", (now - begin) / (double)count * 1e9);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    free(message);
    return 0;
}
