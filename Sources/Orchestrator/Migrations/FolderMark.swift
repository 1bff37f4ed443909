package import Linux

/// A file that says which folder is meant, whatever it is called by now: a folder of the same name may have
/// been put into its place by somebody else, and is not ours to remove.
package struct FolderMark {
    /// Where it is kept.
    package let path: String

    package init(path: String) { self.path = path }

    /// Means this folder from now on, also after a crash.
    package func put(on folder: String) throws(Errno) {
        try writeFileAtomically(path, Array(try Self.identity(of: folder).utf8))
    }

    /// Whether this folder is the one; no, if that cannot be told.
    package func isOn(_ folder: String) -> Bool {
        guard let noted = try? readFile(path, bytesMax: 64), let found = try? Self.identity(of: folder) else {
            return false
        }
        return noted.elementsEqual(found.utf8)
    }

    private static func identity(of folder: String) throws(Errno) -> String {
        let status = try OpenFolder(path: folder).status(of: OpenFolder.itself)
        return "\(status.device) \(status.inode)"
    }
}
