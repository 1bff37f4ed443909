import CLinux

/// The error number of a failed system call.
package struct Errno: Error, Equatable, BitwiseCopyable, CustomStringConvertible {
    /// The positive number, as in errno(3).
    package let number: Int32

    /// From a result of `CLinux`, where failure is `-errno`.
    package init(result: Int) { number = Int32(truncatingIfNeeded: -result) }

    /// From the positive number itself.
    package init(number: Int32) { self.number = number }

    /// There is no such file, user or other entry (ENOENT).
    package static let noEntry = Errno(number: ENOENT)

    /// Somebody has the address already (EADDRINUSE).
    package static let addressInUse = Errno(number: EADDRINUSE)

    /// Nobody listens there (ECONNREFUSED).
    package static let refused = Errno(number: ECONNREFUSED)

    /// The permissions of a file forbid it (EACCES).
    package static let forbidden = Errno(number: EACCES)

    /// The operation is not permitted (EPERM).
    package static let notPermitted = Errno(number: EPERM)

    /// It would have to be waited for (EWOULDBLOCK, EAGAIN).
    package static let wouldBlock = Errno(number: EWOULDBLOCK)

    /// The kernel does not have this call (ENOSYS).
    package static let notImplemented = Errno(number: ENOSYS)

    /// The kernel does not take these arguments (EINVAL).
    package static let invalidArgument = Errno(number: EINVAL)

    /// Two places are on two file systems (EXDEV).
    package static let otherDevice = Errno(number: EXDEV)
    package static let busy = Errno(number: EBUSY)

    /// A symbolic link is where none may be (ELOOP).
    package static let link = Errno(number: ELOOP)

    /// A folder is wanted, and this is none (ENOTDIR).
    package static let notFolder = Errno(number: ENOTDIR)

    /// The file is larger than it may be (EFBIG).
    package static let tooLarge = Errno(number: EFBIG)

    /// The system's own words, such as "Address already in use".
    package var description: String {
        // SAFETY: strerror's text is copied at once, and glibc (2.32) keeps one for each thread.
        guard let text = unsafe strerror(number) else { return "error \(number)" }
        return unsafe String(cString: text)
    }
}

/// Turns a result of `CLinux` into a value or a thrown ``Errno``.
@discardableResult
package func check(_ result: Int) throws(Errno) -> Int {
    guard result >= 0 else { throw Errno(result: result) }
    return result
}

/// As ``check(_:)-(Int)``, for calls that return a C int.
@discardableResult
package func check(_ result: Int32) throws(Errno) -> Int32 {
    guard result >= 0 else { throw Errno(result: Int(result)) }
    return result
}
