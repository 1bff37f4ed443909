/// What one hoster durably knows of who may write a site. The writer of a larger epoch is the later one, so
/// whoever knows of an epoch refuses every smaller one. Over all hosters at most one token is held, and no
/// other is of a larger epoch than that.
package struct WriterToken: Codable, Equatable, Sendable {
    /// Beyond this nothing is taken, so that the arithmetic below cannot overflow.
    static let epochMax: UInt64 = 1 << 62
    /// How much a peer may raise what is known, at once: a liar cannot use the epochs up.
    static let stepMax: UInt64 = 1 << 32

    /// The largest epoch that is known here, whoever holds it. It only grows.
    package private(set) var epoch: UInt64
    /// Whether this hoster is the writer, and of that epoch.
    package private(set) var isHeld: Bool

    package init(epoch: UInt64 = 0, isHeld: Bool) {
        self.epoch = epoch
        self.isHeld = isHeld
    }

    /// The epoch that the next migration from here would grant.
    var following: UInt64 { epoch + 1 }

    /// Whether a peer may raise what is known to this.
    func isWithinReach(_ other: UInt64) -> Bool {
        other <= Self.epochMax && (other <= epoch || other - epoch <= Self.stepMax)
    }

    /// The commit point of a migration: this hoster is no longer the writer.
    mutating func give(_ granted: UInt64) {
        precondition(isHeld, "only the writer gives")
        precondition(granted > epoch, "a grant is of a later epoch")
        self = WriterToken(epoch: granted, isHeld: false)
    }

    /// This hoster becomes the writer.
    mutating func take(_ granted: UInt64) {
        precondition(!isHeld, "a writer takes no grant")
        precondition(granted > epoch, "a grant is of a later epoch than all that are known")
        self = WriterToken(epoch: granted, isHeld: true)
    }

    /// This hoster goes on as the writer, later than all that was or might have been granted.
    mutating func goOn(after granted: UInt64) {
        self = WriterToken(epoch: max(epoch, granted) + 1, isHeld: true)
    }

    /// An epoch is refused for ever; if it was held, it is not any more.
    mutating func burn(_ refused: UInt64) {
        self = WriterToken(epoch: max(epoch, refused), isHeld: isHeld && epoch > refused)
    }
}
