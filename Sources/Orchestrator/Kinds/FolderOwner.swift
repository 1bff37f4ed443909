import Foundation

/// Whom a site's folder belongs to. What a site runs on this machine itself runs as its owner, not as root:
/// who may write into the folder decides what is run.
struct FolderOwner: Equatable {
    var userNumber: Int
    var groupNumber: Int

    init(of folder: String) throws(Refusal) {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: folder),
            let user = attributes[.ownerAccountID] as? Int,
            let group = attributes[.groupOwnerAccountID] as? Int
        else { throw Refusal(.missing, "there is no folder \(folder)") }
        userNumber = user
        groupNumber = group
    }

    /// A command line that runs another one as this user, without a way to more rights.
    func running(_ arguments: [String]) -> [String] {
        guard userNumber != 0, getuid() == 0 else { return arguments }
        return [
            "setpriv", "--reuid=\(userNumber)", "--regid=\(groupNumber)", "--clear-groups",
            "--no-new-privs", "--",
        ] + arguments
    }
}
