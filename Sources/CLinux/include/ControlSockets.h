// Calls around the control socket and the metrics: each returns its result, or -errno.
#pragma once

#include <poll.h>
#include <stdint.h>
#include <sys/types.h>

/// Makes a listening unix socket for its owner and group; -EADDRINUSE when something is at the path.
int clinux_listen_unix(const char *path, mode_t mode);

/// 1: somebody answers there; 0: nobody, or nothing; -ENOTSOCK: something else is there.
int clinux_is_unix_socket_alive(const char *path);

/// Gives a file to a user and its group.
int clinux_give_file(const char *path, const char *user);

/// The number of a file's inode; 0: there is none.
uint64_t clinux_file_number(const char *path);

struct clinux_peer {
    int32_t process;
    uint32_t user;
    uint32_t group;
};

/// Who is at the other end of a unix socket.
int clinux_peer_credentials(int descriptor, struct clinux_peer *peer);

/// poll(2), again when a signal interrupts it.
int clinux_poll(struct pollfd *items, unsigned count, int milliseconds);

/// How many descriptors this process has open.
long clinux_open_descriptor_count(void);

/// CPU time in nanoseconds: of a thread by the number that clinux_own_cpu_clock gave it; of the process.
int clinux_own_cpu_clock(void);
int64_t clinux_cpu_nanoseconds(int clock);
int64_t clinux_process_cpu_nanoseconds(void);

/// Bytes of this process in memory, and of its address space.
int clinux_process_memory(uint64_t *resident, uint64_t *virtual_size);
