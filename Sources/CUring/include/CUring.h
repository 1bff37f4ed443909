// The part of liburing that the edge uses, without its header: liburing.h turns on _GNU_SOURCE, and Swift must not see
// the system's headers in two forms. Each function fills one entry, or is one call of the library. No logic.
//
// `data` comes back with the completion; an entry whose data is CURING_SILENT has a completion only when it fails.
#pragma once

#include <stdint.h>

/// A ring; its layout is the library's own business.
typedef struct curing curing;

/// The kernel's completion queue entry (struct io_uring_cqe).
struct curing_completion {
    uint64_t data;
    int32_t result;
    uint32_t flags;
};

enum {
    /// For `data`: nobody waits for it.
    CURING_SILENT = 0,
    /// In a completion: a provided buffer was taken; its identifier is in the upper 16 bits of the flags.
    CURING_HAS_BUFFER = 1 << 0,
    /// In a completion: the operation goes on and will complete again.
    CURING_HAS_MORE = 1 << 1,
    /// In a completion of a receive: the socket has more bytes, or its end.
    CURING_SOCKET_IS_NOT_EMPTY = 1 << 2,
};

/// Makes a ring and a ring of `buffers` provided buffers (a power of two), for the calling thread alone; NULL, and
/// -errno in `error`: ENOSYS (not built in), EPERM (forbidden), EINVAL (kernel before 6.1), ENOMEM.
curing *curing_make(unsigned entries, unsigned completions, unsigned buffers, int *error);

void curing_free(curing *ring);

/// Submits what is queued and takes what has completed; does not wait. 0, or -errno.
int curing_submit(curing *ring);

/// Submits what is queued and waits for a completion, at most so many milliseconds (-1: no limit). 0, or -errno.
int curing_wait(curing *ring, int milliseconds);

/// Takes up to `count` completions; how many.
unsigned curing_take(curing *ring, struct curing_completion *completions, unsigned count);

/// Puts a buffer into the ring of buffers; the kernel sees it after curing_publish.
void curing_provide(curing *ring, uint16_t identifier, void *bytes, unsigned count);

/// Shows the kernel what was provided.
void curing_publish(curing *ring);

void curing_accept(curing *ring, int listener, uint64_t data);

void curing_poll(curing *ring, int descriptor, unsigned events, uint64_t data);

/// As above, and goes on after each completion.
void curing_poll_repeatedly(curing *ring, int descriptor, unsigned events, uint64_t data);

/// `waits_first`: does not try before the socket is readable.
void curing_receive(curing *ring, int descriptor, void *bytes, unsigned count, int waits_first, uint64_t data);

/// As above, into a provided buffer.
void curing_receive_provided(curing *ring, int descriptor, unsigned count, int waits_first, uint64_t data);

/// Does not wait: -EAGAIN when the socket takes nothing. The ring's own waiting for room would be ended at once by a peer
/// that has shut down its side, again and again, and then be given to a thread.
void curing_send(curing *ring, int descriptor, const void *bytes, unsigned count, int more, uint64_t data);

void curing_cancel(curing *ring, uint64_t data);

void curing_close(curing *ring, int descriptor);
