#include "CUring.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/// Of the provided buffers; there is one group.
static const int group = 0;

struct curing {
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    unsigned buffer_count;
    /// Provided and not published yet.
    int provided;
};

_Static_assert(sizeof(struct curing_completion) == sizeof(struct io_uring_cqe), "taken as they are");
_Static_assert(CURING_HAS_BUFFER == IORING_CQE_F_BUFFER, "the kernel's");
_Static_assert(CURING_HAS_MORE == IORING_CQE_F_MORE, "the kernel's");
_Static_assert(CURING_SOCKET_IS_NOT_EMPTY == IORING_CQE_F_SOCK_NONEMPTY, "the kernel's");

static int add_buffers(curing *ring, unsigned count) {
    void *memory = NULL;
    size_t bytes = count * sizeof(struct io_uring_buf);
    if (posix_memalign(&memory, 4096, bytes) != 0) return -ENOMEM;
    ring->buffers = memory;
    ring->buffer_count = count;
    io_uring_buf_ring_init(ring->buffers);
    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)memory, .ring_entries = count, .bgid = (unsigned short)group};
    return io_uring_register_buf_ring(&ring->ring, &registration, 0);
}

/// One operation there and back: a filter may allow the making of a ring, and nothing else.
static int try_ring(struct io_uring *ring) {
    struct io_uring_cqe *completion;
    io_uring_prep_nop(io_uring_get_sqe(ring));
    int result = io_uring_submit_and_wait(ring, 1);
    if (result < 0) return result;
    result = io_uring_peek_cqe(ring, &completion);
    if (result == 0) io_uring_cqe_seen(ring, completion);
    return result;
}

curing *curing_make(unsigned entries, unsigned completions, unsigned buffers, int *error) {
    curing *ring = calloc(1, sizeof *ring);
    *error = -ENOMEM;
    if (ring == NULL) return NULL;
    // One thread submits, and completions are made when it asks for them, without interrupting what it does (6.1). More
    // completions than there is room for wait in the kernel's own list, which is slower; none is lost.
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
        .cq_entries = completions,
    };
    *error = io_uring_queue_init_params(entries, &ring->ring, &parameters);
    if (*error < 0) {
        free(ring);
        return NULL;
    }
    // Saves the look-up of the ring's descriptor in each call; the ring works without.
    (void)io_uring_register_ring_fd(&ring->ring);
    *error = add_buffers(ring, buffers);
    if (*error == 0) *error = try_ring(&ring->ring);
    if (*error < 0) {
        curing_free(ring);
        return NULL;
    }
    return ring;
}

void curing_free(curing *ring) {
    io_uring_queue_exit(&ring->ring);
    free(ring->buffers);
    free(ring);
}

int curing_submit(curing *ring) {
    int result = io_uring_submit_and_get_events(&ring->ring);
    return result < 0 ? result : 0;
}

int curing_wait(curing *ring, int milliseconds) {
    if (milliseconds < 0) {
        int result = io_uring_submit_and_wait(&ring->ring, 1);
        return result < 0 ? result : 0;
    }
    struct __kernel_timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000ll};
    struct io_uring_cqe *first = NULL;
    int result = io_uring_submit_and_wait_timeout(&ring->ring, &first, 1, &time, NULL);
    return result < 0 ? result : 0;
}

unsigned curing_take(curing *ring, struct curing_completion *completions, unsigned count) {
    unsigned head, taken = 0;
    struct io_uring_cqe *entry;
    io_uring_for_each_cqe(&ring->ring, head, entry) {
        if (taken == count) break;
        completions[taken++] = (struct curing_completion){entry->user_data, entry->res, entry->flags};
    }
    io_uring_cq_advance(&ring->ring, taken);
    return taken;
}

void curing_provide(curing *ring, uint16_t identifier, void *bytes, unsigned count) {
    int mask = io_uring_buf_ring_mask(ring->buffer_count);
    io_uring_buf_ring_add(ring->buffers, bytes, count, identifier, mask, ring->provided++);
}

void curing_publish(curing *ring) {
    if (ring->provided == 0) return;
    io_uring_buf_ring_advance(ring->buffers, ring->provided);
    ring->provided = 0;
}

/// A place in the submission queue; submits what is there when it is full.
static struct io_uring_sqe *next_entry(curing *ring) {
    struct io_uring_sqe *entry;
    while ((entry = io_uring_get_sqe(&ring->ring)) == NULL) {
        // The kernel is out of memory for a moment.
        if (io_uring_submit(&ring->ring) < 0) usleep(100);
    }
    return entry;
}

void curing_accept(curing *ring, int listener, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring);
    io_uring_prep_multishot_accept(entry, listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    io_uring_sqe_set_data64(entry, data);
}

void curing_poll(curing *ring, int descriptor, unsigned events, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring);
    io_uring_prep_poll_add(entry, descriptor, events);
    io_uring_sqe_set_data64(entry, data);
}

void curing_poll_repeatedly(curing *ring, int descriptor, unsigned events, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring);
    io_uring_prep_poll_multishot(entry, descriptor, events);
    io_uring_sqe_set_data64(entry, data);
}

void curing_receive(curing *ring, int descriptor, void *bytes, unsigned count, int waits_first, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring);
    io_uring_prep_recv(entry, descriptor, bytes, count, 0);
    if (waits_first) entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
    io_uring_sqe_set_data64(entry, data);
}

void curing_receive_provided(curing *ring, int descriptor, unsigned count, int waits_first, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring);
    io_uring_prep_recv(entry, descriptor, NULL, count, 0);
    if (waits_first) entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
    entry->buf_group = group;
    io_uring_sqe_set_flags(entry, IOSQE_BUFFER_SELECT);
    io_uring_sqe_set_data64(entry, data);
}

void curing_send(curing *ring, int descriptor, const void *bytes, unsigned count, int more, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring);
    io_uring_prep_send(entry, descriptor, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
    io_uring_sqe_set_data64(entry, data);
}

void curing_cancel(curing *ring, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring);
    io_uring_prep_cancel64(entry, data, 0);
    io_uring_sqe_set_flags(entry, IOSQE_CQE_SKIP_SUCCESS);
    io_uring_sqe_set_data64(entry, CURING_SILENT);
}

void curing_close(curing *ring, int descriptor) {
    struct io_uring_sqe *entry = next_entry(ring);
    io_uring_prep_close(entry, descriptor);
    io_uring_sqe_set_flags(entry, IOSQE_CQE_SKIP_SUCCESS);
    io_uring_sqe_set_data64(entry, CURING_SILENT);
}
