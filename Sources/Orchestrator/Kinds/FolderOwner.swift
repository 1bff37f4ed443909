import Foundation
import Linux

/// Whom a site's folder belongs to. What a site runs on this machine itself runs as its owner, not as root:
/// who may write into the folder decides what is run.
struct FolderOwner: Equatable {
    var userNumber: Int
    var groupNumber: Int

    init(of folder: String) throws(Refusal) {
        let held = try SiteFolder(path: folder).held()
        guard held.kind == .folder else { throw Refusal(.missing, "there is no folder \(folder)") }
        guard held.mode & 0o022 == 0 else {
            throw Refusal(
                .conflict, "\(folder) can be written by others than its owner: chmod go-w \(folder)")
        }
        // A folder of root's with content of somebody else, as the volume of a container, may have been
        // moved there by whoever has the folder around it.
        guard held.user != 0 || held.isOurs else {
            throw Refusal(.conflict, "\(folder) is root's and lies in a folder of somebody else")
        }
        userNumber = Int(held.user)
        groupNumber = Int(held.group)
    }

    /// Who runs what is run as this user: only root can become another one.
    var runningUser: UInt32 { getuid() == 0 ? UInt32(userNumber) : getuid() }

    /// A command line that runs another one as this user, without a way to more rights.
    func running(_ arguments: [String]) -> [String] {
        guard userNumber != 0, getuid() == 0 else { return arguments }
        return [
            "setpriv", "--reuid=\(userNumber)", "--regid=\(groupNumber)", "--clear-groups",
            "--no-new-privs", "--",
        ] + arguments
    }
}
