// What needs the GNU extensions of the C library; see the header.
#define _GNU_SOURCE 1

#include "CLinux.h"

#include <sys/syscall.h>

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
