#include "histogram.h"

#include <stddef.h>

static size_t bucketOf(uint64_t microseconds) {
    if (microseconds < 64) return (size_t)microseconds;
    unsigned shift = 63 - (unsigned)__builtin_clzll(microseconds) - 5; // leaves 32..63
    size_t bucket = 32 * shift + (microseconds >> shift);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

void histogramAdd(struct histogram *histogram, uint64_t nanoseconds) {
    histogram->count[bucketOf(nanoseconds / 1000)]++;
    histogram->total++;
    if (nanoseconds > histogram->max) histogram->max = nanoseconds;
}

void histogramMerge(struct histogram *into, const struct histogram *from) {
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) into->count[bucket] += from->count[bucket];
    into->total += from->total;
    if (from->max > into->max) into->max = from->max;
}

double histogramAt(const struct histogram *histogram, double fraction) {
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        seen += histogram->count[bucket];
        if (seen == 0 || (double)seen < fraction * (double)histogram->total) continue;
        if (bucket < 64) return (double)bucket;
        return (double)((bucket % 32 + 32) << (bucket / 32 - 1));
    }
    return 0;
}
