// What load and backend say to each other, through whatever router stands between them.
//
// A router of TCP streams forwards the ClientHello verbatim. So the order to the backend travels inside the
// hello, in its 32 random bytes, which no router has a reason to look at: nothing but TLS-shaped bytes is
// needed before the backend answers, as with a real client. Both ends run on one machine: the integers are in
// the machine's own byte order.

#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>

enum order_kind {
    ORDER_SHORT = 1, // greeting, then close: the unit of "one connection"
    ORDER_ECHO,      // greeting, then every byte comes back, until the client's end of stream
    ORDER_BULK,      // greeting, then `amount` pattern bytes down and/or up (flags)
    ORDER_HOLD,      // greeting, then nothing until the client goes
    ORDER_SILENT,    // nothing at all, not even a greeting
};

enum { ORDER_DOWN = 1, ORDER_UP = 2, ORDER_RECEIPTED = 128 };

// Lies in the random field of the hello.
struct order {
    uint32_t magic;
    uint8_t kind;
    uint8_t flags;
    uint16_t reserved;
    uint64_t amount;       // bulk: bytes in each direction that is asked for
    uint64_t serial;       // comes back in the greeting: proves that two sessions were not crossed
    uint32_t greetingSize; // the greeting is padded to this size
    uint32_t reserved2;
};
_Static_assert(sizeof(struct order) == 32, "the order must fill the random field of a ClientHello");

#define ORDER_MAGIC 0x44595753u // "SWYD"
#define NAME_MAX_BYTES 253

// The backend's first bytes: who answered, and which name it read in the hello. A misroute cannot hide.
struct greeting {
    uint32_t magic;
    uint32_t address; // the listening address that was reached, network order
    uint16_t port;    // network order
    uint16_t nameSize;
    uint32_t reserved;
    uint64_t serial;
    char name[256];
};
_Static_assert(sizeof(struct greeting) == 280, "load and backend must agree on the greeting");

#define GREETING_MAGIC 0x4f4c4c48u // "HLLO"

// Ends the backend's stream when the client uploaded: what arrived there.
struct receipt {
    uint64_t received;
    uint64_t wrong; // reads that held a byte which differs from the pattern
};

// Offsets into a ClientHello that came whole in one TLS record.
struct hello {
    size_t size;
    size_t random;
    size_t extensionsSize; // where the two-byte length of all extensions is
    size_t nameExtension;  // where the server_name extension begins
    size_t name;
    size_t nameSize;
};

// 1: found; 0: more bytes are needed; -1: not a hello with a name. Enough for the peers here, which only ever
// meet their own hellos or a recorded one; the edge's own parser is far stricter.
int helloFind(const uint8_t *bytes, size_t size, struct hello *found);

// Writes a hello of exactly `size` bytes where padding allows it (a larger one if not). From 1,500 bytes it
// carries an X25519MLKEM768 key share, as today's browsers send. Returns its size.
size_t helloMake(uint8_t *into, size_t size, const char *name, const struct order *order);

// The same from a recorded hello: the name is replaced and the order is put in the random field.
size_t helloRename(uint8_t *into, const uint8_t *recorded, const struct hello *layout, const char *name,
                   const struct order *order);

#define HELLO_MAX_BYTES 16640

// The bulk pattern: PATTERN_PERIOD bytes repeated, kept PATTERN_SPAN longer so that any stretch of up to
// PATTERN_SPAN bytes lies in memory contiguously and can be sent or compared in one go. The period is a prime,
// so that no buffer or pipe size divides it and a lost or doubled block always shows.
#define PATTERN_PERIOD 262139u
#define PATTERN_SPAN 262144u
extern uint8_t pattern[PATTERN_PERIOD + PATTERN_SPAN];
void patternFill(void);
static inline const uint8_t *patternAt(uint64_t position) { return pattern + position % PATTERN_PERIOD; }

#endif
