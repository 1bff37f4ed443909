/// Walking through an image and printing from it: for the control socket and the diff, not for look-ups.
extension RouteImage {
    private typealias Header = RouteImageLayout.Header

    /// One name of the table. Trivial; offsets belong to the image.
    package struct NameEntry: Hashable, Sendable, BitwiseCopyable {
        /// Offset in bytes of the key in the image: the name, or for a wildcard its suffix with the dot
        /// before it.
        package var keyOffset: Int
        /// Length of the key in bytes.
        package var keyBytes: Int
        /// The name's route.
        package var routeIndex: UInt32
        /// Where the next entry begins; equal to the size of the image behind the last one.
        var next: Int
    }

    /// The name that follows `entry` in the order of the source files; the first one for nil; nil behind the
    /// last one.
    package static func nameEntry(after entry: NameEntry?, in image: RawSpan) -> NameEntry? {
        let first = Int(truncatingIfNeeded: image.word64(at: Header.names)) + RouteImageLayout.firstName
        let offset = entry?.next ?? first
        guard offset < image.byteCount else { return nil }
        let count = Int(image.word8(at: offset + 4))
        let key = offset + RouteImageLayout.namePrefixBytes
        return NameEntry(
            keyOffset: key, keyBytes: count, routeIndex: image.word32(at: offset), next: key + count)
    }

    /// The name as it stands in a routes file, a wildcard with its star.
    package static func text(of entry: NameEntry, in image: RawSpan) -> String {
        let key = text(entry.keyOffset..<entry.keyOffset + entry.keyBytes, in: image)
        return key.utf8.first == UInt8(ascii: ".") ? "*" + key : key
    }

    /// A digest of a name that stays the same from image to image of one seed; nil stands for `*`. Never 0.
    package static func identity(of entry: NameEntry?, in image: RawSpan) -> UInt64 {
        let seed = HashSeed(
            first: image.word64(at: Header.seedFirst), second: image.word64(at: Header.seedSecond))
        guard let entry else { return max(1, NameHash.hash(image, 0..<0, seed: seed)) }
        return max(
            1, NameHash.hash(image, entry.keyOffset..<entry.keyOffset + entry.keyBytes, seed: seed))
    }

    /// The address as it stands in a routes file.
    package static func text(of address: TargetAddress, in image: RawSpan) -> String {
        switch address {
        case .ip(let endpoint): endpoint.description
        case .unix(let pathOffset, let pathLength):
            "unix:" + text(Int(pathOffset)..<Int(pathOffset) + Int(pathLength), in: image)
        }
    }

    /// Where a route stands: `path:line`.
    package static func source(of route: Route, in image: RawSpan) -> String {
        text(filePath(route.fileIndex, in: image), in: image) + ":\(route.line)"
    }

    /// Bytes of the image as text.
    static func text(_ range: Range<Int>, in image: RawSpan) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        for offset in range { bytes.append(image.word8(at: offset)) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
