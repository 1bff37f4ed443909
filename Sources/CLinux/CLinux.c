// The target is its header; this file makes it one that the package manager can build.
#include "CLinux.h"

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
