import Foundation
import NIOSSL
import SwiftASN1
import X509

/// What the certificate of a connection says, read after TLS has checked that the other end has its key.
struct ShownCertificate {
    let fingerprint: Fingerprint
    let validity: ClosedRange<Date>

    /// nil: it cannot be read, so it is nobody's.
    init?(_ chain: [NIOSSLCertificate]) {
        // The times are read by the library in Swift, which throws; the other one trusts them to be well
        // formed, and they come from a stranger.
        guard let leaf = chain.first, let fingerprint = try? Fingerprint(of: leaf),
            let bytes = try? leaf.toDERBytes(), let certificate = try? Certificate(derEncoded: bytes),
            certificate.notValidBefore <= certificate.notValidAfter
        else { return nil }
        self.fingerprint = fingerprint
        validity = certificate.notValidBefore...certificate.notValidAfter
    }
}
