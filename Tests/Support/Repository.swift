/// The working tree that these tests were built from.
package enum Repository {
    /// The absolute path of the root folder, without a slash at the end.
    package static let root: String = {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: true)
        return "/" + parts.dropLast(3).joined(separator: "/")
    }()

    /// The absolute path of a file or folder that is given relative to the root.
    package static func path(_ relative: String) -> String {
        root + "/" + relative
    }
}
