/// Why some bytes are not a route image that this program may use.
package enum RouteImageError: Error, Hashable, Sendable {
    /// Fewer bytes than a header has.
    case tooShort
    /// The bytes do not begin as an image does.
    case notAnImage
    /// An image of another layout.
    case otherVersion
    /// The header's digest does not fit its content.
    case damagedHeader
    /// The sections do not lie one behind the other, do not fit their counts, or do not fill the image.
    case inconsistentSections
}
