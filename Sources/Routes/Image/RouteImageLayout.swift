/// How a route image is laid out. All offsets are in bytes; integers have the machine's byte order.
///
/// ```
/// header        192 bytes (a multiple of a cache line)
/// slots         12 bytes each: offset of the entry in the names section (4), hash tag (4), route index (4)
/// routes        32 bytes each
/// options       48 bytes each; equal ones are mostly stored once
/// targets       12 bytes each
/// files         8 bytes each: offset and length of a path in the strings section
/// strings       IPv6 addresses (16 bytes), unix paths, file paths
/// names         entries one after the other, in the order of the source: route index (4), length (1), bytes
/// ```
///
/// The route index stands in the slot, too, so that a route is fetched while its name is compared: in a large
/// table each of both is a cache miss. Slots end at a multiple of a cache line, so that no route lies in two.
///
/// Slots are ordered by tag. The home of a tag is `tag × buckets >> 32`, which grows with the tag: so a
/// search may stop at the first larger tag, a miss costs no more than a hit, and building the table is one
/// sort and one walk. The slot behind the last one is empty; nothing wraps around. A wildcard `*.example.net`
/// is stored as `.example.net`, which no host name can be, so one table serves both kinds.
enum RouteImageLayout {
    /// "SWYDRTE1" as the bytes lie in memory of a little-endian machine.
    static let magic: UInt64 = 0x3145_5452_4459_5753
    /// Raised with every change of the layout.
    static let version: UInt32 = 2

    static let headerBytes = 192
    static let slotBytes = 12
    /// Where in a slot the route index stands.
    static let slotRoute = 8
    static let routeBytes = 32
    static let optionsBytes = 48
    static let targetBytes = 12
    static let fileBytes = 8

    /// The names section begins with one unused byte, so that the lower half of a slot in use is never zero.
    static let firstName = 1
    /// Bytes of a name entry before the name: route index and length.
    static let namePrefixBytes = 5

    /// Stands for "no route" and "no value" in 32-bit fields.
    static let none = UInt32.max

    /// Offsets of the header's fields.
    enum Header {
        static let magic = 0
        static let version = 8
        static let fileCount = 12
        static let imageBytes = 16
        static let seedFirst = 24
        static let seedSecond = 32
        static let bucketCount = 40
        static let slotCount = 44
        static let nameCount = 48
        static let wildcardCount = 52
        static let routeCount = 56
        static let optionsCount = 60
        static let targetCount = 64
        static let defaultRoute = 68
        static let slots = 72
        static let routes = 80
        static let options = 88
        static let targets = 96
        static let files = 104
        static let strings = 112
        static let names = 120
        /// Digest of all header bytes before it.
        static let check = 184
    }

    /// Offsets within a route record.
    enum RouteField {
        static let fingerprint = 0
        static let targetStart = 8
        static let optionsIndex = 12
        static let totalWeight = 16
        static let targetCount = 20
        static let action = 21
        static let balance = 22
        static let backupCount = 23
        static let line = 24
        static let fileIndex = 28
    }

    /// Offsets within a target record.
    enum TargetField {
        static let kind = 0
        static let flags = 1
        static let port = 2
        static let weight = 4
        static let pathLength = 6
        static let payload = 8
    }

    /// Offsets within an options record. An address takes 8 bytes, like a target without flags and weight.
    enum OptionsField {
        static let sessionsMax = 0
        static let idleMilliseconds = 4
        static let drainMilliseconds = 8
        static let checkMilliseconds = 12
        static let checkKind = 16
        static let proxyVersion = 17
        static let httpScope = 18
        static let acme = 20
        static let http = 28
        static let wake = 36
    }

    /// Offsets within an address as options store it.
    enum AddressField {
        static let kind = 0
        static let port = 2
        static let pathLength = 2
        static let payload = 4
    }

    /// Kinds of address, in targets and options.
    enum AddressKind {
        static let ipv4: UInt8 = 1
        static let ipv6: UInt8 = 2
        static let unix: UInt8 = 3
    }

    /// The header's own digest.
    static func headerCheck(_ image: RawSpan) -> UInt64 {
        let seed = HashSeed(first: magic, second: UInt64(version))
        return NameHash.hash(image, 0..<Header.check, seed: seed)
    }
}
