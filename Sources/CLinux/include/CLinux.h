// What Swift cannot import: macros, variadic functions, and system calls whose errno must be read before anything else
// runs. Every function returns its result, or -errno. There is no logic here.
#pragma once

// Without _GNU_SOURCE: Swift sees the system's own headers without it, and the two must not differ. What needs it is
// declared here and defined in CLinux.c.
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ControlSockets.h"
#include "Console.h"

/// -errno where a call failed, else its result.
#define CLINUX_RESULT(call)                                                                                            \
    ({                                                                                                                 \
        __auto_type result_ = (call);                                                                                  \
        result_ < 0 ? -(long)errno : (long)result_;                                                                    \
    })

static inline int clinux_socket(int family) {
    return (int)CLINUX_RESULT(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/// A socket for datagrams whose sends wait at most so many seconds.
static inline int clinux_datagram_socket(int family, int seconds) {
    int descriptor = (int)CLINUX_RESULT(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    struct timeval limit = {.tv_sec = seconds};
    if (descriptor >= 0) setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return descriptor;
}

static inline long clinux_send_to(
    int descriptor, const void *bytes, size_t count, const void *address, socklen_t length) {
    return CLINUX_RESULT(sendto(descriptor, bytes, count, MSG_NOSIGNAL, address, length));
}

static inline int clinux_bind(int descriptor, const void *address, socklen_t length) {
    return (int)CLINUX_RESULT(bind(descriptor, address, length));
}

static inline int clinux_listen(int descriptor, int backlog) {
    return (int)CLINUX_RESULT(listen(descriptor, backlog));
}

int clinux_accept(int listener);

static inline int clinux_connect(int descriptor, const void *address, socklen_t length) {
    return (int)CLINUX_RESULT(connect(descriptor, address, length));
}

/// `more`: the bytes may wait for those, or for the end, that the caller sends next (MSG_MORE).
static inline long clinux_send(int descriptor, const void *bytes, size_t count, int more) {
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
    return CLINUX_RESULT(send(descriptor, bytes, count, flags));
}

static inline long clinux_receive(int descriptor, void *bytes, size_t count) {
    return CLINUX_RESULT(recv(descriptor, bytes, count, MSG_DONTWAIT));
}

long clinux_splice(int from, int to, size_t count);

int clinux_pipe(int ends[2]);

int clinux_set_pipe_size(int descriptor, int bytes);

static inline int clinux_shutdown_write(int descriptor) { return (int)CLINUX_RESULT(shutdown(descriptor, SHUT_WR)); }

static inline int clinux_close(int descriptor) { return (int)CLINUX_RESULT(close(descriptor)); }

static inline int clinux_set_option(int descriptor, int level, int option, int value) {
    return (int)CLINUX_RESULT(setsockopt(descriptor, level, option, &value, sizeof value));
}

/// SO_ERROR: the error that ended a connection attempt, as -errno, or 0.
static inline int clinux_socket_error(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    int result = (int)CLINUX_RESULT(getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length));
    return result < 0 ? result : -error;
}

/// SO_LINGER with a time of zero: the next close sends a reset instead of an orderly end.
static inline int clinux_set_reset_on_close(int descriptor) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    return (int)CLINUX_RESULT(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
}

static inline int clinux_peer_address(int descriptor, void *address, socklen_t *length) {
    return (int)CLINUX_RESULT(getpeername(descriptor, address, length));
}

static inline int clinux_local_address(int descriptor, void *address, socklen_t *length) {
    return (int)CLINUX_RESULT(getsockname(descriptor, address, length));
}

static inline int clinux_epoll_create(void) { return (int)CLINUX_RESULT(epoll_create1(EPOLL_CLOEXEC)); }

static inline int clinux_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data = {.u64 = data}};
    return (int)CLINUX_RESULT(epoll_ctl(epoll, operation, descriptor, &event));
}

static inline int clinux_epoll_wait(int epoll, struct epoll_event *events, int count, int milliseconds) {
    return (int)CLINUX_RESULT(epoll_wait(epoll, events, count, milliseconds));
}

static inline uint64_t clinux_epoll_data(const struct epoll_event *event) { return event->data.u64; }

/// Waits until a descriptor is readable, for at most so many milliseconds (-1: no limit); 1: it is, 0: time is over.
static inline int clinux_wait_readable(int descriptor, int milliseconds) {
    struct pollfd item = {.fd = descriptor, .events = POLLIN};
    return (int)CLINUX_RESULT(poll(&item, 1, milliseconds));
}

/// As above, until either of two is readable.
static inline int clinux_wait_readable_either(int first, int second, int milliseconds) {
    struct pollfd items[2] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
    return (int)CLINUX_RESULT(poll(items, 2, milliseconds));
}

/// As clinux_wait_readable, for writing.
static inline int clinux_wait_writable(int descriptor, int milliseconds) {
    struct pollfd item = {.fd = descriptor, .events = POLLOUT};
    return (int)CLINUX_RESULT(poll(&item, 1, milliseconds));
}

int clinux_replace_descriptor(int descriptor, int other);

/// Makes an inherited descriptor one of ours: it does not block, and is closed where another program begins.
static inline int clinux_adopt(int descriptor) {
    int flags = (int)CLINUX_RESULT(fcntl(descriptor, F_GETFL));
    if (flags < 0) return flags;
    if (fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    return (int)CLINUX_RESULT(fcntl(descriptor, F_SETFD, FD_CLOEXEC));
}

/// An option whose value is an int, or -errno.
static inline int clinux_get_option(int descriptor, int level, int option) {
    int value = 0;
    socklen_t length = sizeof value;
    int result = (int)CLINUX_RESULT(getsockopt(descriptor, level, option, &value, &length));
    return result < 0 ? result : value;
}

static inline int clinux_duplicate_descriptor(int descriptor) {
    return (int)CLINUX_RESULT(fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
}

static inline int clinux_eventfd(void) { return (int)CLINUX_RESULT(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }

static inline long clinux_read(int descriptor, void *bytes, size_t count) {
    return CLINUX_RESULT(read(descriptor, bytes, count));
}

static inline long clinux_write(int descriptor, const void *bytes, size_t count) {
    return CLINUX_RESULT(write(descriptor, bytes, count));
}

static inline int clinux_open(const char *path, int flags, mode_t mode) {
    return (int)CLINUX_RESULT(open(path, flags | O_CLOEXEC, mode));
}

/// Opens something in an open folder as a place alone (O_PATH): nothing is read, and nothing waits. A symbolic link is
/// opened itself, unless it is to be followed.
int clinux_open_place(int folder, const char *name, int follows);

static inline int clinux_status(int descriptor, struct stat *status) {
    return (int)CLINUX_RESULT(fstat(descriptor, status));
}

static inline int clinux_make_folder(int folder, const char *name, mode_t mode) {
    return (int)CLINUX_RESULT(mkdirat(folder, name, mode));
}

/// The path without links, in PATH_MAX bytes.
static inline int clinux_real_path(const char *path, char *resolved) {
    return realpath(path, resolved) == NULL ? -errno : 0;
}

static inline int clinux_rename(const char *from, const char *to) { return (int)CLINUX_RESULT(rename(from, to)); }

static inline int clinux_rename_between(int folder, const char *from, int other, const char *to) {
    return (int)CLINUX_RESULT(renameat(folder, from, other, to));
}

/// The files that a pattern names; 1: there are some, 0: there is none. A directory that is not there or cannot be read
/// ends it with that error.
int clinux_glob(const char *pattern, glob_t *result);

/// Locks an open file for this process alone (flock(2)), until its last descriptor is closed; -EWOULDBLOCK: somebody has.
static inline int clinux_lock(int descriptor) { return (int)CLINUX_RESULT(flock(descriptor, LOCK_EX | LOCK_NB)); }

static inline int clinux_unlink(const char *path) { return (int)CLINUX_RESULT(unlink(path)); }

static inline int clinux_fsync(int descriptor) { return (int)CLINUX_RESULT(fsync(descriptor)); }

/// Size of a regular file in bytes; -EISDIR for a directory, -EINVAL for anything else.
static inline long clinux_file_size(int descriptor) {
    struct stat status;
    if (fstat(descriptor, &status) < 0) return -(long)errno;
    if (S_ISDIR(status.st_mode)) return -EISDIR;
    return S_ISREG(status.st_mode) ? (long)status.st_size : -EINVAL;
}

/// Anonymous memory that costs nothing until it is touched; NULL where there is none.
static inline void *clinux_map(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/// As clinux_map, for memory that is read here and there: from a multiple of the huge page's size on, and in huge
/// pages where the system has them for those who ask. The size is a multiple of that, too.
static const long CLINUX_HUGE_PAGE_BYTES = 2 << 20;
static inline void *clinux_map_huge(size_t bytes) {
    size_t slack = (size_t)CLINUX_HUGE_PAGE_BYTES;
    char *memory = clinux_map(bytes + slack);
    if (memory == NULL) return NULL;
    size_t before = (slack - (uintptr_t)memory % slack) % slack;
    if (before > 0) munmap(memory, before);
    munmap(memory + before + bytes, slack - before);
    // Where that is refused, small pages do as well, only slower.
    madvise(memory + before, bytes, MADV_HUGEPAGE);
    return memory + before;
}

/// Gives the pages back to the kernel; they read as zero afterwards.
static inline int clinux_discard(void *memory, size_t bytes) {
    return (int)CLINUX_RESULT(madvise(memory, bytes, MADV_DONTNEED));
}

static inline uint64_t clinux_clock_nanoseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline uint64_t clinux_monotonic_nanoseconds(void) { return clinux_clock_nanoseconds(CLOCK_MONOTONIC); }

static inline uint64_t clinux_realtime_nanoseconds(void) { return clinux_clock_nanoseconds(CLOCK_REALTIME); }

static inline long clinux_random(void *bytes, size_t count) { return CLINUX_RESULT(getrandom(bytes, count, 0)); }

/// A descriptor that reads the given signals, which are blocked for the calling thread and those that it starts.
static inline int clinux_signal_descriptor(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int index = 0; index < count; index++) sigaddset(&set, signals[index]);
    int failure = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (failure != 0) return -failure;
    return (int)CLINUX_RESULT(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

/// The number of the next signal, or -errno (-EAGAIN when there is none).
static inline int clinux_read_signal(int descriptor) {
    struct signalfd_siginfo information;
    long result = clinux_read(descriptor, &information, sizeof information);
    return result < 0 ? (int)result : (int)information.ssi_signo;
}

static inline void clinux_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

/// How many processors this process may run on.
int clinux_processor_count(void);

/// Raises the soft limit of descriptors to the hard one, and returns it.
static inline long clinux_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -(long)errno;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -(long)errno;
    }
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (long)limit.rlim_cur;
}

/// A user's numbers; -ENOENT: there is none of that name.
int clinux_find_user(const char *name, uid_t *user, gid_t *group);

/// Gives a process the groups, the group and the identity of a user, for good. Capabilities that it may have stay
/// permitted (PR_SET_KEEPCAPS); clinux_keep_capability says which.
int clinux_become_user(const char *name, uid_t user, gid_t group);

/// Takes every capability but one out of the bounding set, as far as one may: that takes CAP_SETPCAP, which is gone with
/// the user's change.
void clinux_bound_capabilities(int capability);

/// Gives up every capability but one, also for programs that are started later; that one, if the process has it, passes on
/// to them. And no program that it starts gains more than it has itself.
int clinux_keep_capability(int capability);

/// Hides the process's memory from debuggers of its own user, and from core files.
static inline int clinux_hide_memory(void) { return (int)CLINUX_RESULT(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)); }

static inline int clinux_change_owner(int descriptor, uid_t user, gid_t group) {
    return (int)CLINUX_RESULT(fchown(descriptor, user, group));
}

/// Installs the filter of system calls for all threads; 1: it is new, 0: it was there already.
int clinux_install_filter(void);

static inline int clinux_set_thread_name(const char *name) {
    return (int)CLINUX_RESULT(prctl(PR_SET_NAME, name, 0, 0, 0));
}

/// Extended attributes of a path whose last part is not followed if it is a link (llistxattr, lgetxattr).
long clinux_list_attributes(const char *path, char *names, size_t size);
long clinux_get_attribute(const char *path, const char *name, void *value, size_t size);
/// A pipe that other programs do not inherit, as large as the user may have it.
int clinux_program_pipe(int ends[2]);
int clinux_sync_file_system(int descriptor);
/// Opens for reading without following a link and without waiting; the time of access stays where that is allowed.
int clinux_open_quietly(int folder, const char *name);

/// A pair of connected sockets that carry bytes.
static inline int clinux_stream_pair(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
}

/// A pair of connected sockets that carry packets (SOCK_SEQPACKET): a message arrives whole, with its descriptors.
static inline int clinux_packet_pair(int ends[2]) {
    return (int)CLINUX_RESULT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
}

/// 1: the descriptor is a unix socket that carries packets, and is closed at the next exec from now on; else 0.
int clinux_adopt_packet_socket(int descriptor);

/// The most descriptors in a packet here.
static const int CLINUX_PACKET_DESCRIPTORS = 8;

/// Sends a packet with up to CLINUX_PACKET_DESCRIPTORS descriptors, without waiting.
long clinux_send_packet(int socket, const void *bytes, size_t count, const int *descriptors, int descriptor_count);

/// Receives a packet without waiting: its size, and 0 at the end. `descriptors` has room for CLINUX_PACKET_DESCRIPTORS.
/// -EMSGSIZE: there was no room for all of it; its descriptors are closed then.
long clinux_receive_packet(int socket, void *bytes, size_t count, int *descriptors, int *descriptor_count);

/// A program that was started, the process between it and this one, and the socket to that.
struct clinux_child {
    pid_t program;
    pid_t between;
    int control;
};

/// Starts a program, which has nothing of this process but its standard descriptors, and `passed` as descriptor 3. No
/// signal is blocked or ignored there. 0, or -errno, also when the program cannot be executed.
int clinux_spawn(const char *path, char *const arguments[], char *const environment[], int passed,
                 struct clinux_child *child);

// Starts a program (looked up in PATH) in a session of its own, in a folder, with `output` as standard output and
// error, and nothing as input. It does not end with this process. Its number, or -errno.
int clinux_spawn_session(char *const arguments[], char *const environment[], const char *folder, int output);

// A descriptor that is readable once the process has ended (pidfd_open(2), kernel 5.3), or -errno.
int clinux_process_descriptor(int process);

// How a child has ended: its status, or 256 and its signal; then it is forgotten. -EAGAIN: it runs; -ECHILD: it is
// not a child of this process.
int clinux_reap(int process);

/// The environment, which ends in NULL.
char **clinux_environment(void);

/// How it has ended: an exit status, or 256 and the number of a signal, told once; -EAGAIN: it runs; -ECHILD: nobody knows.
int clinux_child_status(const struct clinux_child *child);

/// The process in between ends, and the program is whoever's child its service manager makes it.
void clinux_let_go(struct clinux_child *child);

static inline int clinux_kill(pid_t process, int signal) { return (int)CLINUX_RESULT(kill(process, signal)); }

/// 1: both names lead to the same file.
static inline int clinux_is_same_file(const char *first, const char *second) {
    struct stat a, b;
    return stat(first, &a) == 0 && stat(second, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}
