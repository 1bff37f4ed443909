#define _GNU_SOURCE
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Noreturn void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

static uint32_t parseHost(const char *text, size_t size, const char *whole) {
    char host[INET_ADDRSTRLEN];
    struct in_addr address;
    if (size >= sizeof host) die("not an IPv4 address: %s", whole);
    memcpy(host, text, size);
    host[size] = 0;
    if (inet_pton(AF_INET, host, &address) != 1) die("not an IPv4 address: %s", whole);
    return ntohl(address.s_addr);
}

struct addresses addressesParse(const char *text) {
    struct addresses range = {0};
    size_t hosts = strcspn(text, ":");
    const char *dash = memchr(text, '-', hosts);
    range.first = parseHost(text, dash ? (size_t)(dash - text) : hosts, text);
    uint32_t last = dash ? parseHost(dash + 1, hosts - (size_t)(dash + 1 - text), text) : range.first;
    // The peers stay on loopback, whatever they are asked: they are made to overload what they talk to.
    if (range.first >> 24 != 127 || last >> 24 != 127) die("only addresses in 127.0.0.0/8 are used: %s", text);
    if (last < range.first || last - range.first >= 4096) die("not a usable address range: %s", text);
    range.count = last - range.first + 1;
    if (text[hosts] == ':') {
        int port = atoi(text + hosts + 1);
        if (port < 1 || port > 65535) die("not a port: %s", text);
        range.port = (uint16_t)port;
    }
    return range;
}

struct sockaddr_in addressesAt(const struct addresses *range, uint32_t index) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(range->port),
                                .sin_addr.s_addr = htonl(range->first + index)};
}

uint64_t amountParse(const char *text) {
    char *end;
    uint64_t amount = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (end == text || (shift ? end[1] : *end)) die("not an amount: %s", text);
    return amount << shift;
}

uint64_t nowNs(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int listenAt(struct sockaddr_in at) {
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) die("socket: %s", strerror(errno));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); // accepted sockets inherit it
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 65535) < 0)
        die("listen on %s:%d: %s", inet_ntoa(at.sin_addr), ntohs(at.sin_port), strerror(errno));
    return listener;
}

void forkWorkers(int count) {
    for (int started = 1; started < count; started++) {
        pid_t parent = getpid(), child = fork();
        if (child < 0) die("fork: %s", strerror(errno));
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            if (getppid() != parent) _exit(0); // the parent was gone before the line above
            return;
        }
    }
}

int descriptorLimit(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > 1048576 ? 1048576 : (int)limit.rlim_cur;
}
