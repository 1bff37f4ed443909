// What the operator's command needs of the system: the terminal, facts about files, other programs. Included by
// CLinux.h; the same rules.
#pragma once

#include <stdint.h>
#include <sys/types.h>

/// 1 when the descriptor is open.
int clinux_is_open(int descriptor);

/// 1 when the descriptor is a terminal.
int clinux_is_terminal(int descriptor);

/// Columns and rows of a terminal.
int clinux_terminal_size(int descriptor, int *columns, int *rows);

/// Takes the terminal: keys come one by one and unseen, and `enter` is written. However the process ends, by exit, by
/// a trap or by a deadly signal that is not blocked, `leave` is written and the old mode set again.
int clinux_terminal_take(int descriptor, const char *enter, const char *leave);

/// Gives it back; does nothing when it is not taken.
void clinux_terminal_give_back(void);

/// Waits until one of two descriptors can be read: bit 0 for the first, bit 1 for the second, 0 when the time is over.
int clinux_wait_either(int first, int second, int milliseconds);

/// Stops this process, as Ctrl-Z does; returns when it goes on.
void clinux_stop_self(void);

/// Facts about a file, with symbolic links followed.
int clinux_file_facts(const char *path, uint32_t *mode, uint32_t *user, int64_t *size);

/// What a symbolic link says: the count of bytes, without a NUL.
long clinux_read_link(const char *path, char *bytes, size_t count);

/// Starts a program whose standard output and error go into one pipe; the pipe's end to read, and its process.
int clinux_start_program(const char *path, char *const arguments[], pid_t *process);

/// Waits for a program that was started: its status, or 128 and the signal that ended it.
int clinux_wait_program(pid_t process);

/// Becomes another program; returns on failure only.
int clinux_become_program(const char *path, char *const arguments[]);

/// 1 when the file may be executed.
int clinux_is_executable(const char *path);

/// 1 when the kernel's clock is kept in step with others, 0 when it is not.
int clinux_clock_is_synchronised(void);
