import Glibc
import Support

/// Random numbers that are the same in every run; a failing test names its seed.
typealias SeededRandom = HelloRandom

/// The bytes of a span.
func array(_ span: RawSpan) -> [UInt8] {
    unsafe span.withUnsafeBytes { unsafe Array($0) }
}

/// What a descriptor of this process leads to, such as `pipe:[1234]`; nil when there is none of that number.
/// Numbers are used again, by tests that run at the same time too: the same number with another target means
/// that the first descriptor was closed.
func target(ofDescriptor descriptor: Int32) -> String? {
    var path = [CChar](repeating: 0, count: 256)
    let count = unsafe readlink("/proc/self/fd/\(descriptor)", &path, path.count)
    return count > 0 ? String(decoding: path[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
}
