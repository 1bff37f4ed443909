// The client: full TLS 1.3 handshakes, each with a name, a small request, and the time to the answer's first byte.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "histogram.h"
#include "tls.h"

enum phase {
    PHASE_FREE,      // nobody's slot
    PHASE_HANDSHAKE, // connecting or in the handshake; leaves with the request sent
    PHASE_ANSWER,    // waiting for the whole answer and the server's end
};

struct session {
    enum phase phase;
    int fd;
    uint8_t wantsOut;
    uint64_t nameIndex, started, received;
    SSL *tls;
    char answer[RESPONSE_BYTES + 1];
};

static const struct tls_options *settings;
static SSL_CTX *context;
static struct session *sessions;
static int epollFd;
static uint64_t active, started, ok, lost, misrouted, serial;
static struct histogram firstByte;

static void nameOf(const struct session *session, char into[64]) {
    snprintf(into, 64, "site%llu.example", (unsigned long long)session->nameIndex);
}

static void finish(struct session *session, uint64_t *outcome, const char *why) {
    if (outcome != &ok && lost + misrouted < 5) {
        char text[256];
        ERR_error_string_n(ERR_peek_error(), text, sizeof text);
        fprintf(stderr, "tls: site%llu.example: %s (phase %d, %llu bytes, %s, errno %d)\n",
                (unsigned long long)session->nameIndex, why, session->phase, (unsigned long long)session->received, text, errno);
    }
    ERR_clear_error();
    (*outcome)++;
    SSL_free(session->tls);
    close(session->fd);
    *session = (struct session){.fd = -1};
    active--;
}

static void watch(struct session *session, int wantsOut) {
    if (session->wantsOut == wantsOut) return;
    session->wantsOut = (uint8_t)wantsOut;
    struct epoll_event event = {.events = EPOLLIN | (wantsOut ? (uint32_t)EPOLLOUT : 0u), .data.ptr = session};
    epoll_ctl(epollFd, EPOLL_CTL_MOD, session->fd, &event);
}

static void judge(struct session *session) {
    char name[64], expected[160], address[INET_ADDRSTRLEN] = "";
    nameOf(session, name);
    if (session->received != RESPONSE_BYTES) {
        finish(session, &lost, "the answer was cut short");
        return;
    }
    session->answer[RESPONSE_BYTES] = 0;
    if (settings->backendsGiven) {
        struct sockaddr_in at = addressesAt(&settings->backends, (uint32_t)(session->nameIndex % settings->backends.count));
        inet_ntop(AF_INET, &at.sin_addr, address, sizeof address);
    }
    snprintf(expected, sizeof expected, "X-Name: %s\r\nX-Address: %s%s", name, address, *address ? "\r\n" : "");
    if (strstr(session->answer, expected) != NULL) finish(session, &ok, "");
    else finish(session, &misrouted, "answered by another");
}

static void advance(struct session *session) {
    if (session->phase == PHASE_HANDSHAKE) {
        int done = SSL_connect(session->tls);
        if (done != 1) {
            int reason = SSL_get_error(session->tls, done);
            if (reason == SSL_ERROR_WANT_READ) watch(session, 0);
            else if (reason == SSL_ERROR_WANT_WRITE) watch(session, 1);
            else finish(session, &lost, "the handshake failed");
            return;
        }
        char request[256], name[64];
        nameOf(session, name);
        int size = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", name);
        if (SSL_write(session->tls, request, size) != size) {
            finish(session, &lost, "the request was not taken");
            return;
        }
        watch(session, 0);
        session->phase = PHASE_ANSWER;
    }
    for (;;) {
        int room = (int)(RESPONSE_BYTES - session->received);
        char surplus;
        int got = SSL_read(session->tls, room ? session->answer + session->received : &surplus, room ? room : 1);
        if (got <= 0) {
            int reason = SSL_get_error(session->tls, got);
            if (reason == SSL_ERROR_WANT_READ) return;
            if (reason == SSL_ERROR_ZERO_RETURN) judge(session);
            else finish(session, &lost, "no orderly end");
            return;
        }
        if (room == 0) {
            finish(session, &misrouted, "more came than was answered");
            return;
        }
        if (session->received == 0) histogramAdd(&firstByte, nowNs() - session->started);
        session->received += (uint64_t)got;
    }
}

static void begin(struct session *session) {
    *session = (struct session){.phase = PHASE_HANDSHAKE, .nameIndex = serial * 7919 % settings->names, .started = nowNs()};
    uint64_t number = serial++;
    started++, active++;
    session->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    session->tls = SSL_new(context);
    if (session->fd < 0 || session->tls == NULL) die("tls: no socket or no memory");
    int yes = 1;
    setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (settings->fromGiven) {
        struct sockaddr_in from = addressesAt(&settings->from, (uint32_t)(number % settings->from.count));
        setsockopt(session->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
        if (bind(session->fd, (struct sockaddr *)&from, sizeof from) < 0) die("tls: bind: %s", strerror(errno));
    }
    char name[64];
    nameOf(session, name);
    SSL_set_tlsext_host_name(session->tls, name);
    SSL_set_fd(session->tls, session->fd);
    // Without a router in between, name i goes straight to the address that it would be routed to.
    struct sockaddr_in to = addressesAt(&settings->at, (uint32_t)(session->nameIndex % settings->at.count));
    if (connect(session->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        finish(session, &lost, "refused");
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
    epoll_ctl(epollFd, EPOLL_CTL_ADD, session->fd, &event);
    advance(session);
}

static void refill(uint64_t began, uint64_t now) {
    uint64_t allowed = UINT64_MAX;
    if (settings->rate > 0) allowed = (uint64_t)((double)(now - began) / 1e9 * settings->rate) + 1;
    for (uint64_t slot = 0; slot < settings->concurrency && started < allowed; slot++)
        if (sessions[slot].phase == PHASE_FREE) begin(&sessions[slot]);
}

static void run(uint64_t began) {
    uint64_t length = (uint64_t)(settings->seconds * 1e9), patience = (uint64_t)(settings->timeout * 1e9);
    struct epoll_event events[256];
    for (;;) {
        uint64_t now = nowNs();
        if (now - began < length) refill(began, now);
        else if (active == 0) return;
        int ready = epoll_wait(epollFd, events, 256, settings->rate > 0 ? 1 : 20);
        for (int index = 0; index < ready; index++) {
            struct session *session = events[index].data.ptr;
            if (session->phase != PHASE_FREE) advance(session);
        }
        if (ready > 0) continue;
        for (uint64_t slot = 0; slot < settings->concurrency; slot++)
            if (sessions[slot].phase != PHASE_FREE && now > sessions[slot].started + patience)
                finish(&sessions[slot], &lost, "no progress");
    }
}

int tlsClient(const struct tls_options *options) {
    settings = options;
    context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1) die("tls: no TLS 1.3");
    // The chain is verified as by a real client. The name in the certificate is not: one certificate serves all names.
    if (options->authority == NULL || SSL_CTX_load_verify_locations(context, options->authority, NULL) != 1)
        die("tls connect: --authority FILE with the server's certificate is needed");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    sessions = calloc(options->concurrency, sizeof *sessions);
    epollFd = epoll_create1(EPOLL_CLOEXEC);
    if (sessions == NULL || epollFd < 0) die("tls: no memory or no epoll");
    uint64_t began = nowNs();
    run(began);
    double elapsed = (double)(nowNs() - began) / 1e9;
    printf("{\"work\": \"tls\", \"elapsed_s\": %.6f, \"started\": %llu, \"ok\": %llu, \"lost\": %llu, \"misrouted\": %llu, "
           "\"corrupt\": 0, \"rate\": %.1f, \"latency_us\": {\"p50\": %.0f, \"p99\": %.0f, \"p99.9\": %.0f, \"max\": %.0f}}\n",
           elapsed, (unsigned long long)started, (unsigned long long)ok, (unsigned long long)lost,
           (unsigned long long)misrouted, (double)ok / elapsed, histogramAt(&firstByte, 0.5), histogramAt(&firstByte, 0.99),
           histogramAt(&firstByte, 0.999), (double)firstByte.max / 1000);
    return lost + misrouted > 0;
}
