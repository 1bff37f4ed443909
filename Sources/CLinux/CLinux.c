// The target is its header; this file makes it one that the package manager can build.
#include "CLinux.h"
