// Latencies, counted in buckets.

#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

// Microseconds, 32 buckets for each power of two: at most 3 % off, and merged by addition.
enum { BUCKETS = 32 * 40 };
struct histogram {
    uint64_t count[BUCKETS];
    uint64_t total, max;
};
void histogramAdd(struct histogram *histogram, uint64_t nanoseconds);
void histogramMerge(struct histogram *into, const struct histogram *from);
double histogramAt(const struct histogram *histogram, double fraction); // microseconds

#endif
