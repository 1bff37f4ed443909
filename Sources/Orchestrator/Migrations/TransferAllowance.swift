import Migration
import Peers

/// How much a peer may send for a site at once. Of rsync's stream alone it cannot be told how much it will
/// become on the disk, because a delta can make much of little: so the disk is looked at, too.
struct TransferAllowance: Sendable {
    /// What rsync itself says, and what a site grows by while it is copied.
    private static let slackBytes: UInt64 = 1 << 30

    let bytesMax: UInt64
    /// Where it goes.
    let path: String

    /// For one pass of rsync: a site that was offered as so large, where one may have at most so much.
    static func pass(ofSite offered: UInt64, siteBytesMax: UInt64, to path: String) -> TransferAllowance {
        let (twice, isHuge) = offered.multipliedReportingOverflow(by: 2)
        let bytes = min(isHuge ? .max : twice, siteBytesMax)
        let (bytesMax, isBoundless) = bytes.addingReportingOverflow(slackBytes)
        return TransferAllowance(bytesMax: isBoundless ? .max : bytesMax, path: path)
    }

    /// What there is against it when so many bytes have come; nil: nothing. What is not taken now would not
    /// be if it were sent once more.
    func objection(afterBytes bytes: Int) -> PeerError? {
        if UInt64(max(0, bytes)) > bytesMax {
            return PeerError(.tooLong, "more was sent than the \(bytesMax.asSize) that are taken at once")
        }
        return DiskRoom(at: path).isExhausted ? Self.full : nil
    }

    private static let full = PeerError(
        .tooLong, "the disk there would be full: what is left of it is kept free")
}
