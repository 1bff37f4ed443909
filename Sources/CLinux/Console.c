#define _GNU_SOURCE 1

#include "CLinux.h"

#include <sys/ioctl.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <termios.h>

int clinux_is_open(int descriptor) { return fcntl(descriptor, F_GETFD) >= 0; }

int clinux_is_terminal(int descriptor) { return isatty(descriptor); }

int clinux_terminal_size(int descriptor, int *columns, int *rows) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) < 0) return -errno;
    if (size.ws_col == 0 || size.ws_row == 0) return -ENOTTY;
    *columns = size.ws_col;
    *rows = size.ws_row;
    return 0;
}

// One terminal a process. A signal handler reads this, so it is set before `taken` is.
static struct termios saved_mode;
static char leave_text[64];
static int taken_descriptor;
static volatile sig_atomic_t taken;

static void write_text(int descriptor, const char *text) {
    size_t count = strlen(text);
    while (count > 0) {
        ssize_t result = write(descriptor, text, count);
        if (result < 0 && errno == EINTR) continue;
        if (result <= 0) return;
        text += result;
        count -= (size_t)result;
    }
}

// Only functions that a signal handler may call (signal-safety(7)).
void clinux_terminal_give_back(void) {
    if (!taken) return;
    taken = 0;
    write_text(taken_descriptor, leave_text);
    tcsetattr(taken_descriptor, TCSANOW, &saved_mode);
}

static void give_back_and_die(int number) {
    clinux_terminal_give_back();
    signal(number, SIG_DFL);
    raise(number);
}

int clinux_terminal_take(int descriptor, const char *enter, const char *leave) {
    static int is_registered;
    if (taken) return 0;
    if (strlen(leave) >= sizeof leave_text) return -EINVAL;
    if (tcgetattr(descriptor, &saved_mode) < 0) return -errno;
    strcpy(leave_text, leave);
    taken_descriptor = descriptor;
    if (!is_registered) {
        is_registered = 1;
        atexit(clinux_terminal_give_back);
        const int deadly[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGPIPE, SIGQUIT, SIGALRM};
        for (size_t index = 0; index < sizeof deadly / sizeof *deadly; index++) {
            struct sigaction action = {.sa_handler = give_back_and_die};
            sigaction(deadly[index], &action, NULL);
        }
    }
    struct termios mode = saved_mode;
    mode.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
    taken = 1;
    if (tcsetattr(descriptor, TCSANOW, &mode) < 0) {
        int failure = errno;
        taken = 0;
        return -failure;
    }
    write_text(descriptor, enter);
    return 0;
}

int clinux_wait_either(int first, int second, int milliseconds) {
    struct pollfd both[2] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
    int result = poll(both, 2, milliseconds);
    if (result < 0) return errno == EINTR ? 0 : -errno;
    return (both[0].revents != 0 ? 1 : 0) | (both[1].revents != 0 ? 2 : 0);
}

void clinux_stop_self(void) { kill(getpid(), SIGSTOP); }

int clinux_file_facts(const char *path, uint32_t *mode, uint32_t *user, int64_t *size) {
    struct stat facts;
    if (stat(path, &facts) < 0) return -errno;
    *mode = facts.st_mode;
    *user = facts.st_uid;
    *size = facts.st_size;
    return 0;
}

long clinux_read_link(const char *path, char *bytes, size_t count) {
    return CLINUX_RESULT(readlink(path, bytes, count));
}

int clinux_start_program(const char *path, char *const arguments[], pid_t *process) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    pid_t child = fork();
    if (child < 0) {
        int failure = errno;
        close(ends[0]);
        close(ends[1]);
        return -failure;
    }
    if (child == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        execv(path, arguments);
        _exit(127);
    }
    close(ends[1]);
    *process = child;
    return ends[0];
}

int clinux_wait_program(pid_t process) {
    int status;
    while (waitpid(process, &status, 0) < 0) {
        if (errno != EINTR) return -errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int clinux_become_program(const char *path, char *const arguments[]) {
    return (int)CLINUX_RESULT(execv(path, arguments));
}

int clinux_is_executable(const char *path) { return access(path, X_OK) == 0; }

int clinux_clock_is_synchronised(void) {
    struct timex state = {.modes = 0};
    return adjtimex(&state) != TIME_ERROR;
}
