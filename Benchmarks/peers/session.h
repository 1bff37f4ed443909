// One client session of the load generator, and what a thread of it counts.

#ifndef SESSION_H
#define SESSION_H

#include <stdatomic.h>
#include <stdint.h>

#include "histogram.h"
#include "support.h"
#include "wire.h"

enum work { WORK_SHORT, WORK_ROUNDTRIP, WORK_BULK, WORK_IDLE, WORK_SLOWHELLO, WORK_BLACKHOLE, WORK_FLOOD };

enum outcome {
    OUTCOME_OK,
    OUTCOME_REFUSED,   // connect failed
    OUTCOME_RESET,     // ECONNRESET or EPIPE where an orderly close was due
    OUTCOME_TRUNCATED, // end of stream before everything had come
    OUTCOME_ALERT,     // a TLS alert in place of the greeting
    OUTCOME_TIMEOUT,
    OUTCOME_CORRUPT,   // bytes that the backend did not send, or a session crossed with another
    OUTCOME_MISROUTED, // a backend that the name never led to while the session lasted
    OUTCOME_STALE,     // the right name, but a backend that a reload confirmed before had replaced
    OUTCOME_CLOSED,    // held sessions only: the router ended it, which is what a time-out should do
    OUTCOMES,
};
extern const char *const outcomeNames[OUTCOMES];

// Backends that are counted apart.
#define LANDINGS_MAX 64

struct settings {
    enum work work;
    struct addresses connect, from, backends;
    int fromGiven, backendsGiven;
    int anyBackend;        // every name may land at each of the backends: count where
    uint64_t concurrency, count, names, messages, amount, greetingSize, messageSize;
    double seconds, rate, timeout, interval;
    long stopAt;           // hello bytes to send before falling silent; -1: all
    int up, down, check;
    uint64_t unread;       // blackhole: bytes ordered and never read
    const char *name;      // one name instead of site%d
    size_t helloSize;      // synthesised size, or 0 with a recorded one:
    uint8_t recorded[HELLO_MAX_BYTES];
    struct hello recordedLayout;
    // Reload storm: {confirmed, requested} generation, shared with the script which reloads. Every `movers`-th
    // name leads to backend (index + generation) % backends, the others always to index % backends.
    _Atomic uint64_t *generation;
    uint64_t movers;
};
extern struct settings settings;

enum phase {
    PHASE_FREE,
    PHASE_HELLO,    // connecting, or hello not wholly sent
    PHASE_GREETING, // waiting for the whole greeting
    PHASE_WORK,     // round trips or bulk
    PHASE_CLOSING,  // everything came: waiting for the end of stream
    PHASE_HOLD,     // held open until the router or the script ends it
};

struct session {
    int fd;
    enum phase phase;
    uint8_t wantsOut, shutDown;
    uint32_t nameIndex, helloSent;
    uint64_t serial, started, phaseStarted, generation;
    uint64_t progressed;   // when bytes last moved; to the accuracy of worker.now
    uint64_t received;     // of the greeting, then of the current message or the bulk
    uint64_t uploaded, messagesLeft;
    uint64_t nextByteAt;   // slowhello
    struct greeting greeting;
    struct receipt receipt;
};

struct worker {
    int epollFd, index;
    uint64_t now;          // read once a turn
    uint64_t serial, random, share; // share: sessions to start in all, UINT64_MAX with --seconds
    uint64_t started, active;
    _Atomic uint64_t held, finished; // read by the main thread
    uint64_t outcomes[OUTCOMES], bytesDown, bytesUp, messages, openAtEnd, windowMax;
    uint64_t firstStart, lastFinish;
    uint64_t landed[LANDINGS_MAX]; // greetings of each backend, with --any-backend
    uint64_t lostStart;            // when the youngest session that was lost had begun
    struct histogram latency;
    struct session *sessions;
    uint32_t *freeSlots;
    uint64_t slots, freeCount;
    uint8_t buffer[PATTERN_SPAN];
};

// Opens a session in a free slot.
void sessionStart(struct worker *worker, uint64_t now);
void sessionEvent(struct worker *worker, struct session *session, uint32_t events);
// Deadlines and trickled bytes; called for every live session some times a second.
void sessionTick(struct worker *worker, struct session *session, uint64_t now);

#endif
