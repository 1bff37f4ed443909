import Orchestrator
import Support
import Testing

/// What is left of a disk for sites that come.
struct DiskRoomTests {
    private let gibibyte: UInt64 = 1 << 30

    @Test func aTwentiethOfADiskStaysFreeAndAtMostFiveGibibytes() {
        #expect(DiskRoom(bytes: 20 * gibibyte, freeBytes: 3 * gibibyte).bytesLeft == 2 * gibibyte)
        #expect(DiskRoom(bytes: 1000 * gibibyte, freeBytes: 7 * gibibyte).bytesLeft == 2 * gibibyte)
        #expect(DiskRoom(bytes: .max, freeBytes: .max).bytesLeft == .max - 5 * gibibyte)
        #expect(!DiskRoom(bytes: 20 * gibibyte, freeBytes: gibibyte + 1).isExhausted)
        #expect(DiskRoom(bytes: 20 * gibibyte, freeBytes: gibibyte).isExhausted)
        #expect(DiskRoom(bytes: 20 * gibibyte, freeBytes: 0).bytesLeft == 0)
    }

    @Test func filesFillADiskToo() {
        #expect(DiskRoom(bytes: 100, freeBytes: 90, files: 1000, freeFiles: 50).isExhausted)
        #expect(!DiskRoom(bytes: 100, freeBytes: 90, files: 1000, freeFiles: 51).isExhausted)
        // Some file systems do not count them.
        #expect(!DiskRoom(bytes: 100, freeBytes: 90, files: 0, freeFiles: 0).isExhausted)
    }

    @Test func whatCannotBeLookedAtHasNoRoom() throws {
        let folder = try TemporaryFolder()
        #expect(!DiskRoom(at: folder.path).isExhausted)
        #expect(DiskRoom(at: folder.path("none")).isExhausted)
    }
}
