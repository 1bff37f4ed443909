/// What is to be done with a session, as the routes file says. Trivial; read from the image at each look-up.
package struct Route: Hashable, Sendable, BitwiseCopyable {
    /// What happens to a session on a route.
    package enum Action: UInt8, Sendable, BitwiseCopyable {
        /// It goes to one of the targets.
        case targets
        /// It is parked until the next table says where.
        case held
        /// It is parked, and the wake socket is told the name.
        case asleep
        /// It is refused with the TLS alert `unrecognized_name`.
        case reject
        /// It is refused with a TCP reset.
        case reset
    }

    /// How a target is chosen among those of equal rank.
    package enum Balance: UInt8, Sendable, BitwiseCopyable {
        /// At random, by weight.
        case weighted
        /// The one with the fewest sessions for its weight.
        case least
        /// By the client's address: the same client goes to the same target while the targets stay.
        case source
    }

    /// What happens to a session.
    package var action: Action
    /// How a target is chosen.
    package var balance: Balance
    /// How many targets there are, backups and drained ones included: 1…64 for `targets`, otherwise 0.
    package var targetCount: Int
    /// How many of them are backups.
    package var backupCount: Int
    /// Index of the first target for `RouteImage.target(_:in:)`; the others follow it.
    package var targetStart: UInt32
    /// Sum of the weights of all targets that are not backups; 0 when all of them are drained.
    package var totalWeight: UInt32
    /// Index for `RouteImage.options(_:in:)`.
    package var optionsIndex: UInt32
    /// Digest of action, balance, options and targets: equal content has equal fingerprints, in every image.
    package var fingerprint: UInt64
    /// Number of the line in the source file, from 1.
    package var line: UInt32
    /// Index for `RouteImage.filePath(_:in:)`.
    package var fileIndex: UInt32

    /// More targets in one route are refused: `TargetSet` has one bit for each.
    package static let targetCountMax = 64
    /// The largest weight.
    package static let weightMax: UInt64 = 65_535
}
