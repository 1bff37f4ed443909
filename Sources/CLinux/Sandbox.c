// The filter of system calls (seccomp(2)): what the edge calls, and what the program calls that an upgrade puts into its
// place, because a filter is inherited for good. Whatever is not listed is refused with an error, not with death: a library
// that tries something new is to fall back, and the log of the kernel's audit names the call.
#define _GNU_SOURCE 1

#include "CLinux.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the filter does not know this architecture"
#endif

/// The number of the filter's edition, as the filter itself tells it; a change of the list below changes it.
#define EDITION 1001
/// Asked of a call that no edge makes.
#define QUESTION 0x53575944
#define ASKED_CALL __NR_kexec_load

/// Allowed whatever the arguments are. The kernel remembers these in a bitmap (5.11) and does not run the filter for them,
/// so their order and number cost nothing.
static const int allowed[] = {
    // The workers.
    __NR_epoll_pwait, __NR_recvfrom, __NR_sendto, __NR_splice, __NR_io_uring_enter, __NR_accept4, __NR_close, __NR_read,
    __NR_write, __NR_readv, __NR_writev, __NR_epoll_ctl, __NR_connect, __NR_setsockopt, __NR_getsockopt, __NR_shutdown,
    __NR_getpeername, __NR_getsockname, __NR_sendmsg, __NR_recvmsg, __NR_pipe2, __NR_fcntl, __NR_ppoll, __NR_eventfd2,
    __NR_io_uring_setup, __NR_io_uring_register, __NR_epoll_create1,
    // Listeners, signals, timers.
    __NR_bind, __NR_listen, __NR_accept, __NR_socketpair, __NR_dup, __NR_dup3, __NR_signalfd4, __NR_timerfd_create,
    __NR_timerfd_settime, __NR_pselect6, __NR_clock_gettime, __NR_clock_getres, __NR_gettimeofday, __NR_nanosleep,
    __NR_clock_nanosleep, __NR_getitimer,
    // Memory and threads, as the C library uses them.
    __NR_munmap, __NR_mremap, __NR_madvise, __NR_brk, __NR_mlock, __NR_munlock, __NR_mincore, __NR_membarrier,
    __NR_set_tid_address, __NR_set_robust_list, __NR_get_robust_list, __NR_rseq, __NR_futex, __NR_exit, __NR_exit_group,
    __NR_gettid, __NR_getpid, __NR_getppid, __NR_tgkill, __NR_sched_yield, __NR_sched_getaffinity,
    __NR_sched_setaffinity, __NR_sched_getparam, __NR_sched_getscheduler, __NR_getcpu, __NR_rt_sigaction,
    __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_rt_sigtimedwait, __NR_rt_sigpending, __NR_sigaltstack,
    __NR_restart_syscall, __NR_memfd_create,
    // An upgrade starts the new program and looks after it.
    __NR_execve, __NR_wait4, __NR_waitid, __NR_kill, __NR_pidfd_open, __NR_pidfd_send_signal, __NR_close_range,
    // Files: configuration, routes, log, pidfile, control socket.
    __NR_openat, __NR_newfstatat, __NR_fstat, __NR_statx, __NR_faccessat, __NR_readlinkat, __NR_getdents64, __NR_lseek,
    __NR_pread64, __NR_pwrite64, __NR_renameat2, __NR_unlinkat, __NR_mkdirat, __NR_ftruncate, __NR_fsync, __NR_fdatasync,
    __NR_fchmod, __NR_fchmodat, __NR_fchown, __NR_fchownat, __NR_umask, __NR_flock, __NR_getcwd, __NR_chdir,
    __NR_statfs, __NR_fstatfs, __NR_fadvise64,
    // Identity and limits: to look, and to become less.
    __NR_getuid, __NR_geteuid, __NR_getgid, __NR_getegid, __NR_getresuid, __NR_getresgid, __NR_getgroups, __NR_setgroups,
    __NR_setresuid, __NR_setresgid, __NR_capget, __NR_capset, __NR_prctl, __NR_seccomp, __NR_prlimit64, __NR_getrlimit,
    __NR_setrlimit, __NR_getrusage, __NR_sysinfo, __NR_uname, __NR_getrandom, __NR_getpgid, __NR_getsid, __NR_setsid,
    __NR_times,
#ifdef __NR_renameat
    __NR_renameat,
#endif
#ifdef __NR_futex_waitv
    __NR_futex_waitv,
#endif
#ifdef __NR_faccessat2
    __NR_faccessat2,
#endif
#ifdef __NR_epoll_pwait2
    __NR_epoll_pwait2,
#endif
#ifdef __x86_64__
    // The older forms, which aarch64 never had.
    __NR_epoll_wait, __NR_poll, __NR_select, __NR_pipe, __NR_dup2, __NR_open, __NR_stat, __NR_lstat, __NR_access,
    __NR_readlink, __NR_rename, __NR_unlink, __NR_mkdir, __NR_chmod, __NR_chown, __NR_lchown, __NR_arch_prctl,
    __NR_vfork, __NR_fork, __NR_time, __NR_getpgrp,
#endif
};

/// A call that is allowed unless the lower half of an argument, masked, is the value; with value 0, unless it is not zero.
struct rule {
    int call;
    int argument;
    uint32_t mask;
    uint32_t value;
};

static const struct rule refused[] = {
    // Threads and processes, but no namespaces.
    {__NR_clone, 0, CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                        CLONE_NEWNET, 0},
    // No memory that is written and run.
    {__NR_mmap, 2, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC},
    {__NR_mprotect, 2, PROT_EXEC, PROT_EXEC},
    // No typing into the terminal of whoever started it.
    {__NR_ioctl, 1, UINT32_MAX, TIOCSTI},
};

/// The kinds of sockets that there are to be.
static const int families[] = {AF_INET, AF_INET6, AF_UNIX};

enum { ITEMS_MAX = 512 };

struct program {
    struct sock_filter items[ITEMS_MAX];
    unsigned short count;
};

static void add(struct program *program, struct sock_filter item) {
    if (program->count < ITEMS_MAX) program->items[program->count++] = item;
}

static void add_return(struct program *program, uint32_t action) {
    add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void add_load(struct program *program, size_t offset) {
    add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/// Goes on with the next item if equal, else behind the `skipped` items that follow.
static void add_if(struct program *program, uint32_t value, unsigned char skipped) {
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skipped));
}

/// The lower half of an argument; both architectures store it first.
static size_t argument(int index) { return offsetof(struct seccomp_data, args) + 8 * (size_t)index; }

static const uint32_t not_permitted = SECCOMP_RET_ERRNO | EPERM;
static const uint32_t not_implemented = SECCOMP_RET_ERRNO | ENOSYS;

static void add_refusals(struct program *program) {
    for (size_t index = 0; index < sizeof refused / sizeof *refused; index++) {
        struct rule rule = refused[index];
        add_if(program, (uint32_t)rule.call, 5);
        add_load(program, argument(rule.argument));
        add(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rule.mask));
        // Without a value: refused unless zero.
        add_if(program, rule.value, 1);
        add_return(program, rule.value == 0 ? SECCOMP_RET_ALLOW : not_permitted);
        add_return(program, rule.value == 0 ? not_permitted : SECCOMP_RET_ALLOW);
    }
}

static void build(struct program *program) {
    add_load(program, offsetof(struct seccomp_data, arch));
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    add_return(program, not_implemented);
    add_load(program, offsetof(struct seccomp_data, nr));
    for (size_t index = 0; index < sizeof allowed / sizeof *allowed; index++) {
        add_if(program, (uint32_t)allowed[index], 1);
        add_return(program, SECCOMP_RET_ALLOW);
    }
    add_refusals(program);
    size_t count = sizeof families / sizeof *families;
    add_if(program, __NR_socket, (unsigned char)(2 * count + 2));
    add_load(program, argument(0));
    for (size_t index = 0; index < count; index++) {
        add_if(program, (uint32_t)families[index], 1);
        add_return(program, SECCOMP_RET_ALLOW);
    }
    add_return(program, SECCOMP_RET_ERRNO | EAFNOSUPPORT);
    // Its flags are behind a pointer, where a filter cannot look: the C library falls back to clone.
    add_if(program, __NR_clone3, 1);
    add_return(program, not_implemented);
    add_if(program, ASKED_CALL, 3);
    add_load(program, argument(0));
    add_if(program, QUESTION, 1);
    add_return(program, SECCOMP_RET_ERRNO | EDITION);
    // Falls through with whatever was loaded; the number is read again.
    add_load(program, offsetof(struct seccomp_data, nr));
    // Calls that are newer than this program look like an old kernel's.
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, __NR_set_mempolicy_home_node, 0, 1));
    add_return(program, not_implemented);
    add_return(program, not_permitted);
}

int clinux_install_filter(void) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
    // After an upgrade it is there already, and a second one would only cost time.
    if (syscall(ASKED_CALL, QUESTION, 0, 0, 0) < 0 && errno == EDITION) return 0;
    static struct program program;
    program.count = 0;
    build(&program);
    if (program.count == ITEMS_MAX) return -E2BIG;
    struct sock_fprog pointer = {.len = program.count, .filter = program.items};
    unsigned int flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG;
    long result = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &pointer);
    if (result > 0) return -EBUSY;  // The thread that cannot be brought along.
    return result < 0 ? -errno : 1;
}
