/// What a site needs of the hoster who takes it.
package struct MigrationOffer: Codable, Equatable, Sendable {
    /// Its domain first, then its aliases.
    package var names: [String]
    /// The product that it is of; nil: of none.
    package var product: String?
    /// Its data as it is now.
    package var bytes: UInt64
    package var files: UInt64
    /// What its containers may use.
    package var memoryBytes: UInt64
    /// The SHA-256 of its certificate, and until when that is valid, in seconds since 1970.
    package var certificateFingerprint: String
    package var certificateEndsSeconds: Double
    /// The image it runs, by name and digest; nil: it is no container.
    package var image: String?

    package init(
        names: [String], product: String?, bytes: UInt64, files: UInt64, memoryBytes: UInt64,
        certificateFingerprint: String, certificateEndsSeconds: Double, image: String?
    ) {
        self.names = names
        self.product = product
        self.bytes = bytes
        self.files = files
        self.memoryBytes = memoryBytes
        self.certificateFingerprint = certificateFingerprint
        self.certificateEndsSeconds = certificateEndsSeconds
        self.image = image
    }

    /// What no hoster may take, whatever its terms, in one sentence; nil: nothing.
    package func flaw(site: String) -> String? {
        guard names.first == site else { return "the offer does not name the site it is about first" }
        guard names.count <= 100 else { return "the offer has more than 100 names" }
        guard Set(names).count == names.count else { return "the offer has a name twice" }
        if let name = names.first(where: { !Self.isHostName($0) }) {
            return "the offer has a name that is none: \(name.asReason)"
        }
        guard certificateFingerprint.isDigest else { return "the offer has no fingerprint of a certificate" }
        guard (product ?? "").utf8.count <= 64 else { return "the offer has an overlong product" }
        guard (image ?? "").utf8.count <= 512 else { return "the offer has an overlong image" }
        return nil
    }

    /// ASCII, lower case, no trailing dot; it becomes the name of a folder.
    private static func isHostName(_ name: String) -> Bool {
        guard (1...253).contains(name.utf8.count) else { return false }
        return name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            let bytes = label.utf8
            let isWord = bytes.allSatisfy {
                (48...57).contains($0) || (97...122).contains($0) || $0 == UInt8(ascii: "-")
            }
            return (1...63).contains(bytes.count) && isWord && bytes.first != UInt8(ascii: "-")
                && bytes.last != UInt8(ascii: "-")
        }
    }
}

/// What a hoster would take at this moment.
package struct HosterTerms: Sendable {
    /// The products that it knows; nil: any, and sites of none.
    package var products: Set<String>?
    /// What its disk has left.
    package var freeBytes: UInt64
    /// How large one site may be.
    package var siteBytesMax: UInt64
    package var memoryBytesMax: UInt64
    /// Names that other sites here have.
    package var takenNames: Set<String>

    package init(
        products: Set<String>?, freeBytes: UInt64, siteBytesMax: UInt64, memoryBytesMax: UInt64,
        takenNames: Set<String>
    ) {
        self.products = products
        self.freeBytes = freeBytes
        self.siteBytesMax = siteBytesMax
        self.memoryBytesMax = memoryBytesMax
        self.takenNames = takenNames
    }

    /// Why an offer is not taken, in one sentence; nil: it is.
    package func refusal(of offer: MigrationOffer, atSeconds now: Double) -> String? {
        if let products {
            guard let product = offer.product else { return "this hoster takes sites of its products only" }
            if !products.contains(product) { return "the product \(product.asReason) is unknown here" }
        }
        if let name = offer.names.first(where: takenNames.contains) {
            return "the name \(name) is one of another site here"
        }
        // Written this way round because what is not a number is not in time either.
        if !(offer.certificateEndsSeconds > now) { return "the certificate has expired" }
        if offer.bytes > siteBytesMax {
            return "the site has \(offer.bytes.asSize), and at most \(siteBytesMax.asSize) are taken"
        }
        if offer.bytes > freeBytes {
            return "the site has \(offer.bytes.asSize), and the disk has \(freeBytes.asSize) left"
        }
        if offer.memoryBytes == .max, memoryBytesMax < .max {
            return "the site has no limit of memory (memory:), and may have \(memoryBytesMax.asSize)"
        }
        if offer.memoryBytes > memoryBytesMax {
            return "the site wants \(offer.memoryBytes.asSize) of memory, "
                + "and may have \(memoryBytesMax.asSize)"
        }
        return nil
    }
}

extension UInt64 {
    /// In whole units, for a sentence.
    package var asSize: String {
        let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
        var (value, unit) = (self, 0)
        while value >= 10 * 1024, unit + 1 < units.count {
            value /= 1024
            unit += 1
        }
        return "\(value) \(units[unit])"
    }
}
