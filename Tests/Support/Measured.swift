import Foundation

/// Figures that a test has seen, for whoever reads its output.
package enum Measured {
    /// Writes one line to standard error.
    package static func tell(_ text: String) {
        FileHandle.standardError.write(Data("measured: \(text)\n".utf8))
    }
}
