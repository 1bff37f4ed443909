// Small things that load, backend and relay share: time, address ranges, sockets, messages.

#ifndef SUPPORT_H
#define SUPPORT_H

#include <netinet/in.h>
#include <stdint.h>

// Consecutive IPv4 addresses with one port: "127.0.1.1-127.0.1.20:9443", "127.0.0.1:8443", "127.0.2.1-127.0.2.9".
struct addresses {
    uint32_t first; // host order
    uint32_t count;
    uint16_t port;  // host order, 0 when none was given
};

struct addresses addressesParse(const char *text);
struct sockaddr_in addressesAt(const struct addresses *range, uint32_t index);

// Amounts with a binary suffix: 4096, 64K, 16M, 2G.
uint64_t amountParse(const char *text);

uint64_t nowNs(void);

// A non-blocking listener with SO_REUSEPORT, so that every process of a peer has a queue of its own.
int listenAt(struct sockaddr_in at);

// Prints and exits with status 2: wrong use, or a machine that does not let us start.
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Starts `count` - 1 further processes which die with this one, and returns in each of them.
void forkWorkers(int count);

// Raises the soft limit of descriptors to the hard one and returns it.
int descriptorLimit(void);

#endif
