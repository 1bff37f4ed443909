// Real TLS handshakes end to end, with OpenSSL at both ends of the router under test.
//
// tls serve   --at 127.0.1.1-127.0.1.20:9443 --certificate FILE --key FILE [--workers N]
// tls connect --at 127.0.0.1:8443 --authority FILE --seconds S [--names N] [--backends FIRST-LAST:PORT]
//             [--from FIRST-LAST] [--concurrency N] [--rate R] [--timeout S]
//
// The server answers each request with the name that it read in the hello and the address that it was reached at,
// so that the client knows whether the router led it to the right place.

#define _GNU_SOURCE
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    SSL *tls;          // NULL: the descriptor is a listener, or nobody's
    uint8_t isListener;
    uint32_t listener; // index of the address that was reached
    uint32_t received; // of the request
    char request[REQUEST_BYTES_MAX];
};

static struct tls_options options = {.workers = 1, .names = 1, .concurrency = 8, .seconds = 1, .timeout = 10};
static struct connection *connections; // by descriptor
static int epollFd;

static void finish(int fd) {
    SSL_free(connections[fd].tls);
    connections[fd] = (struct connection){0};
    close(fd);
}

// One answer fits into the empty send buffer, so it goes out whole and the session is over.
static void answer(int fd) {
    struct connection *connection = &connections[fd];
    const char *name = SSL_get_servername(connection->tls, TLSEXT_NAMETYPE_host_name);
    struct sockaddr_in at = addressesAt(&options.at, connection->listener);
    char response[RESPONSE_BYTES], address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &at.sin_addr, address, sizeof address);
    memset(response, '.', sizeof response);
    int size = snprintf(response, sizeof response, "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Name: %s\r\nX-Address: %s\r\n\r\n",
                        name ? name : "-", address);
    response[size] = '.'; // over the terminating zero
    if (SSL_write(connection->tls, response, sizeof response) == sizeof response) SSL_shutdown(connection->tls);
    finish(fd);
}

static void serve(int fd) {
    struct connection *connection = &connections[fd];
    // SSL_read performs the handshake first.
    int got = SSL_read(connection->tls, connection->request + connection->received,
                       (int)(sizeof connection->request - 1 - connection->received));
    if (got <= 0) {
        int reason = SSL_get_error(connection->tls, got);
        ERR_clear_error();
        // What is to be sent is small enough that the kernel always takes it: only reading can be waited for.
        if (reason != SSL_ERROR_WANT_READ) finish(fd);
        return;
    }
    connection->received += (uint32_t)got;
    if (strstr(connection->request, "\r\n\r\n") != NULL) answer(fd);
    else if (connection->received == sizeof connection->request - 1) finish(fd);
}

static void acceptAll(SSL_CTX *context, int listener) {
    for (int taken = 0; taken < 64; taken++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        if (fd >= CONNECTIONS_MAX) {
            close(fd);
            continue;
        }
        connections[fd] = (struct connection){.tls = SSL_new(context), .listener = connections[listener].listener};
        if (connections[fd].tls == NULL) die("tls: no memory");
        SSL_set_fd(connections[fd].tls, fd);
        SSL_set_accept_state(connections[fd].tls);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epollFd, EPOLL_CTL_ADD, fd, &event);
        serve(fd); // the hello is often here already
    }
}

static SSL_CTX *serverContext(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1) die("tls: no TLS 1.3");
    if (SSL_CTX_use_certificate_file(context, options.certificate, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, options.key, SSL_FILETYPE_PEM) != 1)
        die("tls: %s and %s are not a certificate and its key", options.certificate, options.key);
    // Every handshake is to be a full one.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

static void runServer(void) {
    if (options.certificate == NULL || options.key == NULL) die("tls serve: --certificate and --key are needed");
    forkWorkers(options.workers);
    SSL_CTX *context = serverContext();
    connections = calloc(CONNECTIONS_MAX, sizeof *connections);
    epollFd = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || epollFd < 0) die("tls: no memory or no epoll");
    for (uint32_t index = 0; index < options.at.count; index++) {
        int listener = listenAt(addressesAt(&options.at, index));
        connections[listener] = (struct connection){.isListener = 1, .listener = index};
        struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
        epoll_ctl(epollFd, EPOLL_CTL_ADD, listener, &event);
    }
    struct epoll_event events[256];
    for (;;) {
        int ready = epoll_wait(epollFd, events, 256, -1);
        for (int index = 0; index < ready; index++) {
            int fd = events[index].data.fd;
            if (connections[fd].tls != NULL) serve(fd);
            else if (connections[fd].isListener) acceptAll(context, fd);
            // Otherwise it was closed earlier in this batch.
        }
    }
}

static void parse(int count, char **arguments) {
    enum { AT = 1, FROM, BACKENDS, WORKERS, CERTIFICATE, KEY, AUTHORITY, NAMES, CONCURRENCY, RATE, SECONDS, TIMEOUT };
    static const struct option known[] = {
        {"at", 1, 0, AT}, {"from", 1, 0, FROM}, {"backends", 1, 0, BACKENDS}, {"workers", 1, 0, WORKERS},
        {"certificate", 1, 0, CERTIFICATE}, {"key", 1, 0, KEY}, {"authority", 1, 0, AUTHORITY}, {"names", 1, 0, NAMES},
        {"concurrency", 1, 0, CONCURRENCY}, {"rate", 1, 0, RATE}, {"seconds", 1, 0, SECONDS}, {"timeout", 1, 0, TIMEOUT}, {0}};
    int option;
    while ((option = getopt_long(count, arguments, "", known, NULL)) != -1) {
        switch (option) {
        case AT: options.at = addressesParse(optarg); break;
        case FROM: options.from = addressesParse(optarg), options.fromGiven = 1; break;
        case BACKENDS: options.backends = addressesParse(optarg), options.backendsGiven = 1; break;
        case WORKERS: options.workers = atoi(optarg); break;
        case CERTIFICATE: options.certificate = optarg; break;
        case KEY: options.key = optarg; break;
        case AUTHORITY: options.authority = optarg; break;
        case NAMES: options.names = amountParse(optarg); break;
        case CONCURRENCY: options.concurrency = amountParse(optarg); break;
        case RATE: options.rate = atof(optarg); break;
        case SECONDS: options.seconds = atof(optarg); break;
        case TIMEOUT: options.timeout = atof(optarg); break;
        default: die("usage: see the first lines of tls.c");
        }
    }
    if (options.at.port == 0) die("tls: --at needs a port");
    if (options.workers < 1 || options.workers > 64) die("tls: --workers: 1 to 64");
    if (options.names < 1 || options.concurrency < 1 || options.concurrency > CONNECTIONS_MAX / 2)
        die("tls: impossible --names or --concurrency");
}

int main(int count, char **arguments) {
    if (count < 2) die("usage: tls serve|connect ...; see the first lines of tls.c");
    parse(count - 1, arguments + 1);
    signal(SIGPIPE, SIG_IGN);
    descriptorLimit();
    if (strcmp(arguments[1], "connect") == 0) return tlsClient(&options);
    if (strcmp(arguments[1], "serve") != 0) die("tls: serve or connect, not %s", arguments[1]);
    runServer();
}
