#define _GNU_SOURCE
#include "CAllocationCounter.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct allocation_counter {
    uint64_t counts[COUNTED_KINDS];
    clockid_t cpu_clock;
};

// The allocator may be called before anything else of this program runs, and must not be called by the access to
// this variable: it lies in the executable's own block, which every thread has from its start (initial-exec).
static _Thread_local allocation_counter *current __attribute__((tls_model("initial-exec")));

/// There is one writer, so a load and a store are enough.
static inline void note(int kind) {
    allocation_counter *counter = current;
    if (!counter) return;
    uint64_t count = __atomic_load_n(&counter->counts[kind], __ATOMIC_RELAXED);
    __atomic_store_n(&counter->counts[kind], count + 1, __ATOMIC_RELAXED);
}

// MARK: Counters

allocation_counter *allocation_counter_make(void) { return calloc(1, sizeof(allocation_counter)); }

void allocation_counter_free(allocation_counter *counter) { free(counter); }

void allocation_counter_begin(allocation_counter *counter) {
    pthread_getcpuclockid(pthread_self(), &counter->cpu_clock);
    current = counter;
}

void allocation_counter_end(void) { current = NULL; }

uint64_t allocation_counter_read(const allocation_counter *counter, int kind) {
    return __atomic_load_n(&counter->counts[kind], __ATOMIC_ACQUIRE);
}

uint64_t allocation_counter_cpu_nanoseconds(const allocation_counter *counter) {
    struct timespec time;
    if (clock_gettime(counter->cpu_clock, &time) != 0) return 0;
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// MARK: The C library
//
// A program's own malloc takes the place of the C library's for every library that the program loads ("Replacing
// malloc" in glibc's manual). These names lead to the real one, whoever asks, and need no look-up that allocates.

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

void *malloc(size_t size) {
    note(COUNTED_MALLOC);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    note(COUNTED_CALLOC);
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    note(COUNTED_REALLOC);
    return __libc_realloc(block, size);
}

void *reallocarray(void *block, size_t count, size_t size) {
    size_t whole;
    if (__builtin_mul_overflow(count, size, &whole)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, whole);
}

void *memalign(size_t alignment, size_t size) {
    note(COUNTED_MEMALIGN);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note(COUNTED_MEMALIGN);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    note(COUNTED_MEMALIGN);
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) return EINVAL;
    int before = errno;
    void *block = __libc_memalign(alignment, size);
    errno = before;
    if (!block) return ENOMEM;
    *result = block;
    return 0;
}

void free(void *block) {
    note(COUNTED_FREE);
    __libc_free(block);
}

ssize_t splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t count, unsigned flags) {
    note(COUNTED_SPLICE);
    return syscall(SYS_splice, from, from_offset, to, to_offset, count, flags);
}

// MARK: The Swift run-time library
//
// Its functions are replaced as malloc is: the program's own definitions come first, for its own code and for every
// library but libswiftCore, whose calls to itself are bound within it (its symbols are protected). What that library
// retains on somebody's behalf is therefore not seen; what it allocates is, by malloc. Its pointers for instruments
// (`_swift_retain` and so on, InstrumentsSupport.h) would show all of it, but up to 6.3 that hook cuts the upper bits
// off what it passes on, and whoever retains a small string then crashes (github.com/swiftlang/swift/pull/88924).

/// The library's function behind the one of ours. Looked up when it is first called, which may be before main.
#define NEXT(name)                                                                                                     \
    ({                                                                                                                 \
        static void *next_;                                                                                            \
        void *found_ = __atomic_load_n(&next_, __ATOMIC_RELAXED);                                                      \
        if (__builtin_expect(!found_, 0)) {                                                                            \
            found_ = look_up(#name);                                                                                   \
            __atomic_store_n(&next_, found_, __ATOMIC_RELAXED);                                                        \
        }                                                                                                              \
        (__typeof__(&name))found_;                                                                                     \
    })

static __attribute__((noinline)) void *look_up(const char *name) {
    // dlsym may allocate, which is nobody's cost.
    allocation_counter *counter = current;
    current = NULL;
    void *found = dlsym(RTLD_NEXT, name);
    current = counter;
    if (!found) abort();
    return found;
}

void *swift_allocObject(void *metadata, size_t size, size_t alignment_mask) {
    note(COUNTED_ALLOC_OBJECT);
    return NEXT(swift_allocObject)(metadata, size, alignment_mask);
}

void *swift_retain(void *object) {
    note(COUNTED_RETAIN);
    return NEXT(swift_retain)(object);
}

void *swift_retain_n(void *object, uint32_t count) {
    note(COUNTED_RETAIN);
    return NEXT(swift_retain_n)(object, count);
}

void *swift_tryRetain(void *object) {
    note(COUNTED_RETAIN);
    return NEXT(swift_tryRetain)(object);
}

void *swift_bridgeObjectRetain(void *object) {
    note(COUNTED_RETAIN);
    return NEXT(swift_bridgeObjectRetain)(object);
}

void *swift_bridgeObjectRetain_n(void *object, int count) {
    note(COUNTED_RETAIN);
    return NEXT(swift_bridgeObjectRetain_n)(object, count);
}

void swift_release(void *object) {
    note(COUNTED_RELEASE);
    NEXT(swift_release)(object);
}

void swift_release_n(void *object, uint32_t count) {
    note(COUNTED_RELEASE);
    NEXT(swift_release_n)(object, count);
}

void swift_bridgeObjectRelease(void *object) {
    note(COUNTED_RELEASE);
    NEXT(swift_bridgeObjectRelease)(object);
}

void swift_bridgeObjectRelease_n(void *object, int count) {
    note(COUNTED_RELEASE);
    NEXT(swift_bridgeObjectRelease_n)(object, count);
}

// MARK: Deliberate calls

void deliberate_allocator_calls(void) {
    // Through pointers that the compiler cannot see through: it knows what malloc and free do, and leaves them out.
    void *(*volatile call_malloc)(size_t) = malloc;
    void *(*volatile call_calloc)(size_t, size_t) = calloc;
    void *(*volatile call_realloc)(void *, size_t) = realloc;
    int (*volatile call_posix_memalign)(void **, size_t, size_t) = posix_memalign;
    void *(*volatile call_aligned_alloc)(size_t, size_t) = aligned_alloc;
    void *(*volatile call_memalign)(size_t, size_t) = memalign;
    void (*volatile call_free)(void *) = free;

    void *blocks[5] = {call_malloc(16), call_realloc(call_calloc(1, 16), 4096)};
    if (call_posix_memalign(&blocks[2], 64, 64) != 0) blocks[2] = NULL;
    blocks[3] = call_aligned_alloc(64, 64);
    blocks[4] = call_memalign(64, 64);
    for (int index = 0; index < 5; index++) call_free(blocks[index]);
}

void deliberate_retains_and_releases(void *object) {
    swift_retain(object);
    swift_retain_n(object, 2);
    swift_tryRetain(object);
    swift_bridgeObjectRetain(object);
    swift_bridgeObjectRetain_n(object, 2);

    swift_release(object);
    swift_release(object);
    swift_release_n(object, 2);
    swift_bridgeObjectRelease(object);
    swift_bridgeObjectRelease_n(object, 2);
}
