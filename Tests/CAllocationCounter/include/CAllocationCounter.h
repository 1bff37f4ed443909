// Counts what one thread calls: the C library's allocator, and the allocation and reference counting of the Swift
// run-time library. For tests: it is linked into their executable only.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// What is counted.
enum {
    COUNTED_MALLOC,
    COUNTED_CALLOC,
    COUNTED_REALLOC,
    /// posix_memalign, aligned_alloc, memalign.
    COUNTED_MEMALIGN,
    COUNTED_FREE,
    /// swift_allocObject.
    COUNTED_ALLOC_OBJECT,
    /// swift_retain, swift_bridgeObjectRetain, both by n, and swift_tryRetain.
    COUNTED_RETAIN,
    /// swift_release, swift_bridgeObjectRelease, and both by n.
    COUNTED_RELEASE,
    /// splice(2): no cost, but the unit in which bulk is told from small transfers.
    COUNTED_SPLICE,
    COUNTED_KINDS,
};

/// The counts of one thread. The thread that is counted writes, anybody may read.
typedef struct allocation_counter allocation_counter;

allocation_counter *allocation_counter_make(void);

/// For a counter that no thread counts into any more.
void allocation_counter_free(allocation_counter *counter);

/// What this thread calls is counted from now on.
void allocation_counter_begin(allocation_counter *counter);

/// What this thread calls is no longer counted.
void allocation_counter_end(void);

/// How many calls of a kind there were.
uint64_t allocation_counter_read(const allocation_counter *counter, int kind);

/// CPU time of the thread that is counted, or that was last; 0 when it has ended (CLOCK_THREAD_CPUTIME_ID).
uint64_t allocation_counter_cpu_nanoseconds(const allocation_counter *counter);

// MARK: Deliberate calls, to see that the counters live

/// Each function of the allocator once: malloc, calloc, realloc (of that), posix_memalign, aligned_alloc, memalign;
/// then free for each of the five blocks.
void deliberate_allocator_calls(void);

/// Each entry point that retains once, and then each that releases once, so that the object is as it was: the plain
/// ones, those that count by n, the bridging ones (plain and by n), and the one that tries to retain.
/// Five retains, and five releases.
void deliberate_retains_and_releases(void *object);
