// What needs the GNU extensions of the C library; see the header.
#define _GNU_SOURCE 1

#include "CLinux.h"

#include <sys/syscall.h>
#include <spawn.h>
#include <sys/xattr.h>

int clinux_accept(int listener) {
    return (int)CLINUX_RESULT(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

long clinux_splice(int from, int to, size_t count) {
    return CLINUX_RESULT(splice(from, NULL, to, NULL, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}

int clinux_pipe(int ends[2]) { return (int)CLINUX_RESULT(pipe2(ends, O_NONBLOCK | O_CLOEXEC)); }

int clinux_set_pipe_size(int descriptor, int bytes) {
    return (int)CLINUX_RESULT(fcntl(descriptor, F_SETPIPE_SZ, bytes));
}

int clinux_processor_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) return 1;
    return CPU_COUNT(&set);
}

int clinux_find_user(const char *name, uid_t *user, gid_t *group) {
    errno = 0;
    struct passwd *found = getpwnam(name);
    if (found == NULL) return errno == 0 ? -ENOENT : -errno;
    *user = found->pw_uid;
    *group = found->pw_gid;
    return 0;
}

int clinux_become_user(const char *name, uid_t user, gid_t group) {
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return -errno;
    if (initgroups(name, group) < 0) return -errno;
    if (setresgid(group, group, group) < 0) return -errno;
    return (int)CLINUX_RESULT(setresuid(user, user, user));
}

void clinux_bound_capabilities(int capability) {
    for (int other = 0; other < 64; other++) {
        if (other != capability) prctl(PR_CAPBSET_DROP, other, 0, 0, 0);
    }
}

int clinux_keep_capability(int capability) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];
    if (syscall(SYS_capget, &header, sets) < 0) return -errno;
    uint32_t kept = sets[0].permitted & 1u << capability;
    struct __user_cap_data_struct wanted[2] = {{.effective = kept, .permitted = kept, .inheritable = kept}};
    // Not asked for what is so already: the service manager's filter may forbid the call.
    if (memcmp(sets, wanted, sizeof sets) != 0 && syscall(SYS_capset, &header, wanted) < 0) return -errno;
    if (kept != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0) return -errno;
    return (int)CLINUX_RESULT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

int clinux_replace_descriptor(int descriptor, int other) {
    return (int)CLINUX_RESULT(dup3(other, descriptor, O_CLOEXEC));
}

// Here and not in the header: it has a variable, because glob does not give its callback any context.
static _Thread_local int glob_failure;

static int note_glob_failure(const char *path, int error) {
    (void)path;
    glob_failure = error;
    return 1;
}

int clinux_glob(const char *pattern, glob_t *result) {
    glob_failure = EIO;
    int status = glob(pattern, 0, note_glob_failure, result);
    if (status == GLOB_NOMATCH) return 0;
    if (status == GLOB_NOSPACE) return -ENOMEM;
    return status == 0 ? 1 : -glob_failure;
}

int clinux_adopt_packet_socket(int descriptor) {
    int type = 0, domain = 0;
    socklen_t length = sizeof type;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_SEQPACKET) return 0;
    length = sizeof domain;
    if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 || domain != AF_UNIX) return 0;
    return fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0;
}

long clinux_send_packet(int socket, const void *bytes, size_t count, const int *descriptors, int descriptor_count) {
    if (descriptor_count < 0 || descriptor_count > CLINUX_PACKET_DESCRIPTORS) return -EINVAL;
    union {
        char bytes[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr alignment;
    } control = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor_count > 0) {
        size_t size = (size_t)descriptor_count * sizeof(int);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(header), descriptors, size);
    }
    return CLINUX_RESULT(sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

long clinux_receive_packet(int socket, void *bytes, size_t count, int *descriptors, int *descriptor_count) {
    union {
        char bytes[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr alignment;
    } control = {0};
    struct iovec part = {.iov_base = bytes, .iov_len = count};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *descriptor_count = 0;
    long result = CLINUX_RESULT(recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
    if (result < 0) return result;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int received = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int index = 0; index < received && *descriptor_count < CLINUX_PACKET_DESCRIPTORS; index++)
            memcpy(&descriptors[(*descriptor_count)++], CMSG_DATA(header) + (size_t)index * sizeof(int), sizeof(int));
    }
    // MSG_CTRUNC: also when this process has no descriptor left for all of them.
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) return result;
    for (int index = 0; index < *descriptor_count; index++) close(descriptors[index]);
    *descriptor_count = 0;
    return -EMSGSIZE;
}

/// The life of the process in between: starts the program, tells how that went and how it ends, and goes when it is let
/// go of. Nothing here allocates: another thread may have held the allocator's lock at the fork.
static _Noreturn void stand_between(const char *path, char *const arguments[], char *const environment[],
                                    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                                    int passed, int control) {
    int low = passed < control ? passed : control, high = passed < control ? control : passed;
    if (low > 3) close_range(3, (unsigned)low - 1, 0);
    if (high > low + 1) close_range((unsigned)low + 1, (unsigned)high - 1, 0);
    close_range((unsigned)high + 1, ~0u, 0);
    pid_t program = -1;
    int failure = posix_spawn(&program, path, actions, attributes, arguments, environment);
    close(passed);
    int told = failure == 0 ? program : -failure;
    if (send(control, &told, sizeof told, MSG_NOSIGNAL) < 0 || failure != 0) _exit(0);
    for (;;) {
        struct pollfd entry = {.fd = control, .events = POLLIN};
        if (poll(&entry, 1, 5) > 0) _exit(0);
        int status = 0;
        if (waitpid(program, &status, WNOHANG) != program) continue;
        told = WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
        send(control, &told, sizeof told, MSG_NOSIGNAL);
        _exit(0);
    }
}

static int fork_between(const char *path, char *const arguments[], char *const environment[],
                        const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, int passed,
                        struct clinux_child *child) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
    child->between = fork();
    if (child->between == 0) stand_between(path, arguments, environment, actions, attributes, passed, ends[1]);
    int failure = child->between < 0 ? -errno : 0;
    close(ends[1]);
    child->control = ends[0];
    int told = -ECHILD;
    if (failure == 0 && recv(ends[0], &told, sizeof told, 0) != sizeof told) told = -ECHILD;
    if (failure == 0 && told > 0) {
        child->program = told;
        return 0;
    }
    clinux_let_go(child);
    return failure == 0 ? told : failure;
}

int clinux_spawn(const char *path, char *const arguments[], char *const environment[], int passed,
                 struct clinux_child *child) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure != 0) return -failure;
    failure = posix_spawnattr_init(&attributes);
    if (failure != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return -failure;
    }
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    // The copy does not close at exec, even where it is the same number (posix_spawn_file_actions_adddup2(3)).
    failure = posix_spawn_file_actions_adddup2(&actions, passed, 3);
    if (failure == 0) failure = posix_spawn_file_actions_addclosefrom_np(&actions, 4);
    if (failure == 0) failure = posix_spawnattr_setsigmask(&attributes, &none);
    if (failure == 0) failure = posix_spawnattr_setsigdefault(&attributes, &all);
    if (failure == 0)
        failure = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int result = -failure;
    if (failure == 0) result = fork_between(path, arguments, environment, &actions, &attributes, passed, child);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return result;
}

int clinux_child_status(const struct clinux_child *child) {
    int told = 0;
    ssize_t count = recv(child->control, &told, sizeof told, MSG_DONTWAIT);
    if (count == sizeof told) return told;
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : -ECHILD;
}

void clinux_let_go(struct clinux_child *child) {
    if (child->control >= 0) close(child->control);
    if (child->between > 0) waitpid(child->between, NULL, 0);
    child->control = -1;
    child->between = -1;
}

char **clinux_environment(void) { return environ; }

int clinux_spawn_session(char *const arguments[], char *const environment[], const char *folder, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure != 0) return -failure;
    failure = posix_spawnattr_init(&attributes);
    if (failure != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return -failure;
    }
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    failure = posix_spawn_file_actions_addchdir_np(&actions, folder);
    if (failure == 0) failure = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (failure == 0) failure = posix_spawn_file_actions_adddup2(&actions, output, 1);
    if (failure == 0) failure = posix_spawn_file_actions_adddup2(&actions, output, 2);
    if (failure == 0) failure = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (failure == 0) failure = posix_spawnattr_setsigmask(&attributes, &none);
    if (failure == 0) failure = posix_spawnattr_setsigdefault(&attributes, &all);
    if (failure == 0)
        failure = posix_spawnattr_setflags(&attributes,
                                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    pid_t process = 0;
    if (failure == 0) failure = posix_spawnp(&process, arguments[0], &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure == 0 ? process : -failure;
}

int clinux_open_place(int folder, const char *name, int follows) {
    return (int)CLINUX_RESULT(openat(folder, name, O_PATH | O_CLOEXEC | (follows ? 0 : O_NOFOLLOW)));
}

int clinux_process_descriptor(int process) {
    int descriptor = (int)syscall(SYS_pidfd_open, process, 0);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_reap(int process) {
    int status = 0;
    pid_t result;
    do {
        result = waitpid(process, &status, WNOHANG);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    if (result == 0) return -EAGAIN;
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

long clinux_list_attributes(const char *path, char *names, size_t size) {
    return CLINUX_RESULT(llistxattr(path, names, size));
}

long clinux_get_attribute(const char *path, const char *name, void *value, size_t size) {
    return CLINUX_RESULT(lgetxattr(path, name, value, size));
}

int clinux_program_pipe(int ends[2]) {
    int result = (int)CLINUX_RESULT(pipe2(ends, O_CLOEXEC));
    if (result == 0) fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    return result;
}

int clinux_sync_file_system(int descriptor) { return (int)CLINUX_RESULT(syncfs(descriptor)); }

int clinux_open_quietly(int folder, const char *name) {
    // A FIFO would wait for somebody who writes to it; to a file O_NONBLOCK means nothing.
    int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int descriptor = openat(folder, name, flags | O_NOATIME);
    // Only the owner and root may read without a trace.
    if (descriptor < 0 && errno == EPERM) descriptor = openat(folder, name, flags);
    return descriptor < 0 ? -errno : descriptor;
}
