// Real TLS 1.3 through a router: what server and client share.

#ifndef TLS_H
#define TLS_H

#include <openssl/ssl.h>

#include "support.h"

enum { RESPONSE_BYTES = 1024, REQUEST_BYTES_MAX = 512, CONNECTIONS_MAX = 16384 };

struct tls_options {
    struct addresses at, from, backends; // at: where to listen, or the router to connect to
    int fromGiven, backendsGiven;
    int workers;
    const char *certificate, *key, *authority;
    uint64_t names, concurrency;
    double rate, seconds, timeout;
};

// Full handshakes until the time is up; returns the exit status.
int tlsClient(const struct tls_options *options);

#endif
