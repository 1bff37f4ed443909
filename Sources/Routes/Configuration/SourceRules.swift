/// Which clients may connect: `allow` and `deny` lines in their order.
package struct SourceRules: Hashable, Sendable {
    /// One line; `all` makes two of them.
    package struct Rule: Hashable, Sendable {
        /// Whether clients in the range may connect.
        package var isAllowed: Bool
        /// The range.
        package var prefix: AddressPrefix
        /// Where it stands in the file.
        package var place: SourcePlace

        /// A rule from its parts.
        package init(isAllowed: Bool, prefix: AddressPrefix, place: SourcePlace) {
            self.isAllowed = isAllowed
            self.prefix = prefix
            self.place = place
        }
    }

    /// All rules, in the order of the file.
    package var rules: [Rule] = []

    /// No rules: everybody may connect.
    package init() {}

    /// The verdict of the first rule that fits; clients that no rule fits may connect.
    /// IPv4-mapped IPv6 addresses are judged as IPv4. Linear in the rules.
    package func allows(_ address: IPAddress) -> Bool {
        for rule in rules where rule.prefix.contains(address) { return rule.isAllowed }
        return true
    }
}
