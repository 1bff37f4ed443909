#define _GNU_SOURCE 1

#include "ControlSockets.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int fill_address(struct sockaddr_un *address, const char *path) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
    strcpy(address->sun_path, path);
    return 0;
}

int clinux_listen_unix(const char *path, mode_t mode) {
    struct sockaddr_un address;
    int failure = fill_address(&address, path);
    if (failure < 0) return failure;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0) {
        failure = -errno;
        close(descriptor);
        return failure;
    }
    // Nobody can connect before it listens, so the mode is right from the first connection on.
    if (chmod(path, mode) < 0 || listen(descriptor, 64) < 0) {
        failure = -errno;
        unlink(path);
        close(descriptor);
        return failure;
    }
    return descriptor;
}

int clinux_is_unix_socket_alive(const char *path) {
    struct stat status;
    if (lstat(path, &status) < 0) return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode)) return -ENOTSOCK;
    struct sockaddr_un address;
    int failure = fill_address(&address, path);
    if (failure < 0) return failure;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    int result = connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
    close(descriptor);
    // A full queue is somebody's, too; without the right to connect nobody knows.
    if (result == ECONNREFUSED || result == ENOENT) return 0;
    return result == 0 || result == EAGAIN ? 1 : -result;
}

int clinux_give_file(const char *path, const char *user) {
    errno = 0;
    struct passwd *entry = getpwnam(user);
    if (entry == NULL) return errno == 0 ? -ENOENT : -errno;
    return lchown(path, entry->pw_uid, entry->pw_gid) < 0 ? -errno : 0;
}

uint64_t clinux_file_number(const char *path) {
    struct stat status;
    return lstat(path, &status) < 0 ? 0 : (uint64_t)status.st_ino;
}

int clinux_peer_credentials(int descriptor, struct clinux_peer *peer) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return -errno;
    peer->process = credentials.pid;
    peer->user = credentials.uid;
    peer->group = credentials.gid;
    return 0;
}

int clinux_poll(struct pollfd *items, unsigned count, int milliseconds) {
    int result;
    do {
        result = poll(items, count, milliseconds);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

long clinux_open_descriptor_count(void) {
    struct stat status;
    // From Linux 6.2 on the folder's size is the count.
    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0) return (long)status.st_size;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) return -(long)errno;
    long count = 0;
    while (readdir(folder) != NULL) count++;
    closedir(folder);
    // Without `.`, `..` and the folder's own descriptor.
    return count < 3 ? 0 : count - 3;
}

int clinux_own_cpu_clock(void) {
    clockid_t clock;
    int failure = pthread_getcpuclockid(pthread_self(), &clock);
    return failure != 0 ? 0 : (int)clock;
}

int64_t clinux_cpu_nanoseconds(int clock) {
    struct timespec time;
    if (clock_gettime((clockid_t)clock, &time) < 0) return -(int64_t)errno;
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t clinux_process_cpu_nanoseconds(void) { return clinux_cpu_nanoseconds((int)CLOCK_PROCESS_CPUTIME_ID); }

int clinux_process_memory(uint64_t *resident, uint64_t *virtual_size) {
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) return -errno;
    unsigned long pages = 0, resident_pages = 0;
    int count = fscanf(file, "%lu %lu", &pages, &resident_pages);
    fclose(file);
    if (count != 2) return -EIO;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    *resident = resident_pages * page;
    *virtual_size = pages * page;
    return 0;
}
