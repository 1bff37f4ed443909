/// The entry of libFuzzer as a library (FuzzedDataProvider's sibling in compiler-rt): the driver's own `main` calls it,
/// so that it can read its arguments first.
#pragma once
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));
