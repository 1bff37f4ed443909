import CLinux

/// A user of this system.
package struct SystemUser: Sendable {
    /// As it was asked for.
    package let name: String
    let userNumber: uid_t
    let groupNumber: gid_t

    /// Looks a user up. ENOENT: there is none of that name.
    package init(named name: String) throws(Errno) {
        var user: uid_t = 0
        var group: gid_t = 0
        // SAFETY: the string ends in NUL for the time of the call, which writes the two numbers.
        try check(unsafe clinux_find_user(name, &user, &group))
        self.name = name
        userNumber = user
        groupNumber = group
    }

    /// Whether this process acts as this user already.
    package var isCurrent: Bool { geteuid() == userNumber }
}

/// The privileges of this process. Each function is for the time before the first thread is started: what
/// they give up is a property of each thread (prctl(2), capabilities(7)).
package enum Privileges {
    /// Becomes another user for good, with that user's groups, and gives up every capability but the one to
    /// bind ports below 1024, so that a reload may open some. Programs that it starts keep that, and gain
    /// nothing.
    package static func become(_ user: SystemUser) throws(Errno) {
        clinux_bound_capabilities(CAP_NET_BIND_SERVICE)
        if !user.isCurrent {
            // SAFETY: the string ends in NUL for the time of the call.
            try check(unsafe clinux_become_user(user.name, user.userNumber, user.groupNumber))
        }
        try check(clinux_keep_capability(CAP_NET_BIND_SERVICE))
        try check(clinux_hide_memory())
    }

    /// Forbids this process all system calls that the edge does not make; false when that was done before,
    /// by the process whose place this one took.
    @discardableResult
    package static func confine() throws(Errno) -> Bool { try check(clinux_install_filter()) > 0 }
}
