import Foundation

/// What a disk has left for sites that come. Below a floor nothing is taken: whatever peers send, the sites
/// that are here must still be able to write.
package struct DiskRoom: Equatable, Sendable {
    private static let floorBytesMax: UInt64 = 5 << 30
    /// One of so many parts of the disk stays free, up to that.
    private static let floorPart: UInt64 = 20

    private let bytes: UInt64
    private let freeBytes: UInt64
    private let files: UInt64
    private let freeFiles: UInt64

    /// Files are 0 where the file system does not count them.
    package init(bytes: UInt64, freeBytes: UInt64, files: UInt64 = 0, freeFiles: UInt64 = 0) {
        (self.bytes, self.freeBytes, self.files, self.freeFiles) = (bytes, freeBytes, files, freeFiles)
    }

    /// Of the file system with this path; what cannot be looked at has no room.
    package init(at path: String) {
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: path)
        func number(_ key: FileAttributeKey) -> UInt64 { (attributes?[key] as? NSNumber)?.uint64Value ?? 0 }
        self.init(
            bytes: number(.systemSize), freeBytes: number(.systemFreeSize), files: number(.systemNodes),
            freeFiles: number(.systemFreeNodes))
    }

    /// What may still be written.
    package var bytesLeft: UInt64 {
        let floor = min(bytes / Self.floorPart, Self.floorBytesMax)
        return freeBytes > floor ? freeBytes - floor : 0
    }

    /// Whether nothing more is taken. Millions of empty files fill a disk, too.
    package var isExhausted: Bool {
        bytesLeft == 0 || (files > 0 && freeFiles <= files / Self.floorPart)
    }
}
