// ClientHello bytes: finding the name, making a hello, renaming a recorded one.

#include "wire.h"

#include <string.h>

uint8_t pattern[PATTERN_PERIOD + PATTERN_SPAN];

void patternFill(void) {
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (size_t index = 0; index < PATTERN_PERIOD; index++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        pattern[index] = (uint8_t)(state >> 32);
    }
    for (size_t index = 0; index < PATTERN_SPAN; index++) pattern[PATTERN_PERIOD + index] = pattern[index % PATTERN_PERIOD];
}

static size_t read16(const uint8_t *at) { return (size_t)at[0] << 8 | at[1]; }

static void write16(uint8_t *at, size_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

int helloFind(const uint8_t *bytes, size_t size, struct hello *found) {
    if (size < 5) return 0;
    if (bytes[0] != 0x16) return -1;
    size_t end = 5 + read16(bytes + 3);
    if (size < end) return 0;
    if (end < 5 + 4 + 2 + 32 + 1 || bytes[5] != 1) return -1;
    found->size = end;
    found->random = 11;
    size_t at = 43;
    at += 1 + (size_t)bytes[at]; // session id
    if (at + 2 > end) return -1;
    at += 2 + read16(bytes + at); // cipher suites
    if (at + 1 > end) return -1;
    at += 1 + (size_t)bytes[at]; // compression methods
    if (at + 2 > end) return -1;
    found->extensionsSize = at;
    at += 2;
    while (at + 4 <= end) {
        size_t extensionSize = read16(bytes + at + 2);
        if (at + 4 + extensionSize > end) return -1;
        if (read16(bytes + at) == 0) {
            if (extensionSize < 5) return -1;
            found->nameExtension = at;
            found->name = at + 9;
            found->nameSize = read16(bytes + at + 7);
            if (found->nameSize == 0 || found->nameSize > NAME_MAX_BYTES) return -1;
            return found->nameSize + 5 <= extensionSize ? 1 : -1;
        }
        at += 4 + extensionSize;
    }
    return -1;
}

static uint8_t *extension(uint8_t *at, unsigned type, const void *content, size_t size) {
    write16(at, type);
    write16(at + 2, size);
    memcpy(at + 4, content, size);
    return at + 4 + size;
}

size_t helloMake(uint8_t *into, size_t size, const char *name, const struct order *order) {
    static const uint8_t suites[] = {0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b, 0xc0, 0x2f, 0xc0,
                                     0x2c, 0xc0, 0x30, 0xcc, 0xa9, 0xcc, 0xa8, 0xc0, 0x13, 0xc0, 0x14};
    static const uint8_t versions[] = {4, 0x03, 0x04, 0x03, 0x03};
    static const uint8_t groups[] = {0, 8, 0x11, 0xec, 0x00, 0x1d, 0x00, 0x17, 0x00, 0x18};
    static const uint8_t signatures[] = {0, 16, 4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1, 8, 6, 6, 1};
    static const uint8_t protocols[] = {0, 12, 2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    static const uint8_t pointFormats[] = {1, 0};
    int postQuantum = size >= 1500;

    uint8_t *at = into;
    *at++ = 0x16, *at++ = 3, *at++ = 1; // record: handshake, legacy version
    uint8_t *recordSize = at;
    at += 2;
    *at++ = 1, *at++ = 0; // client_hello, high byte of its length
    uint8_t *messageSize = at;
    at += 2;
    *at++ = 3, *at++ = 3;
    memcpy(at, order, 32), at += 32;
    *at++ = 32; // session id, as every TLS 1.3 client sends for middleboxes
    memcpy(at, pattern, 32), at += 32;
    write16(at, sizeof suites), at += 2;
    memcpy(at, suites, sizeof suites), at += sizeof suites;
    *at++ = 1, *at++ = 0; // compression: null
    uint8_t *extensionsSize = at;
    at += 2;

    uint8_t content[1300];
    size_t nameSize = strlen(name);
    write16(content, nameSize + 3), content[2] = 0, write16(content + 3, nameSize);
    memcpy(content + 5, name, nameSize);
    at = extension(at, 0x0000, content, nameSize + 5);
    at = extension(at, 0x002b, versions, sizeof versions);
    at = extension(at, 0x000a, groups, sizeof groups);
    at = extension(at, 0x000b, pointFormats, sizeof pointFormats);
    at = extension(at, 0x000d, signatures, sizeof signatures);
    at = extension(at, 0x0010, protocols, sizeof protocols);
    size_t shares = 2;
    if (postQuantum) {
        write16(content + shares, 0x11ec), write16(content + shares + 2, 1216);
        memcpy(content + shares + 4, pattern + 64, 1216), shares += 4 + 1216;
    }
    write16(content + shares, 0x001d), write16(content + shares + 2, 32);
    memcpy(content + shares + 4, pattern + 32, 32), shares += 4 + 32;
    write16(content, shares - 2);
    at = extension(at, 0x0033, content, shares);

    size_t used = (size_t)(at - into);
    if (size >= used + 4) { // padding, RFC 7685
        write16(at, 0x0015), write16(at + 2, size - used - 4);
        memset(at + 4, 0, size - used - 4);
        at = into + size;
    }
    write16(recordSize, (size_t)(at - recordSize - 2));
    write16(messageSize, (size_t)(at - messageSize - 2));
    write16(extensionsSize, (size_t)(at - extensionsSize - 2));
    return (size_t)(at - into);
}

size_t helloRename(uint8_t *into, const uint8_t *recorded, const struct hello *layout, const char *name,
                   const struct order *order) {
    size_t nameSize = strlen(name), after = layout->name + layout->nameSize;
    memcpy(into, recorded, layout->name);
    memcpy(into + layout->name, name, nameSize);
    memcpy(into + layout->name + nameSize, recorded + after, layout->size - after);
    memcpy(into + layout->random, order, 32);
    // Every length that encloses the name changes by the same difference.
    size_t difference = nameSize - layout->nameSize; // wraps; so do the sums below
    const size_t enclosing[] = {3, 7, layout->extensionsSize, layout->nameExtension + 2, layout->nameExtension + 4,
                                layout->nameExtension + 7};
    for (size_t index = 0; index < sizeof enclosing / sizeof *enclosing; index++) {
        uint8_t *at = into + enclosing[index];
        write16(at, read16(at) + difference);
    }
    return layout->size + difference;
}
