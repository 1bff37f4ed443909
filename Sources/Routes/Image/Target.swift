/// One backend of a route. Trivial.
package struct Target: Hashable, Sendable, BitwiseCopyable {
    /// Where it is reached.
    package var address: TargetAddress
    /// Its share, 0…65,535; 0 while it is drained. A backup has the weight 1.
    package var weight: UInt32
    /// True exactly when it is used only after all others have failed.
    package var isBackup: Bool

    /// True exactly when it gets no new sessions (`@0`).
    package var isDrained: Bool { weight == 0 }

    /// A target from its parts.
    package init(address: TargetAddress, weight: UInt32, isBackup: Bool) {
        self.address = address
        self.weight = weight
        self.isBackup = isBackup
    }
}
