import Crypto
import Foundation
import Linux
import SwiftASN1
import X509

/// A site's certificate, as it lies in its folder with the key.
struct SiteCertificate {
    /// SHA-256 of the certificate, as hexadecimal digits.
    let fingerprint: String
    /// Until when it is good, in seconds since 1970; and since when.
    let endsSeconds: Double
    let beginsSeconds: Double
    /// The host names that it is for.
    private let names: [String]
    private let isOfKey: Bool

    /// Reads a PEM file with the certificate, perhaps others behind it, and its key.
    init(path: String) throws(Refusal) {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try HeldPath.open(path).read(bytesMax: 1 << 20) } catch {
            throw Refusal(.missing, "\(path), the certificate, cannot be read: \(error)")
        }
        try self.init(pem: String(decoding: bytes, as: UTF8.self), named: path)
    }

    init(pem: String, named path: String) throws(Refusal) {
        do {
            let documents = try PEMDocument.parseMultiple(pemString: pem)
            guard let first = documents.first(where: { $0.discriminator == "CERTIFICATE" }) else {
                throw Refusal(.invalid, "\(path) has no certificate")
            }
            let certificate = try Certificate(pemDocument: first)
            fingerprint = SHA256.hash(data: first.derBytes).map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined()
            endsSeconds = certificate.notValidAfter.timeIntervalSince1970
            beginsSeconds = certificate.notValidBefore.timeIntervalSince1970
            let alternatives = try certificate.extensions.subjectAlternativeNames
            names = (alternatives ?? SubjectAlternativeNames([])).compactMap { name in
                if case .dnsName(let text) = name { text.lowercased() } else { nil }
            }
            // One that this cannot read, as one with a passphrase, may be good for the site's own server.
            let key = documents.first { $0.discriminator.hasSuffix("PRIVATE KEY") }.flatMap {
                try? Certificate.PrivateKey(pemDocument: $0)
            }
            isOfKey = key?.publicKey == certificate.publicKey
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(.invalid, "\(path) is no certificate: \(error)")
        }
    }

    /// Why it is not good for this site; nil: it is.
    func flaw(for domain: String, atSeconds now: Double) -> String? {
        if !isOfKey { return "the certificate has no key, or that of another one" }
        if now >= endsSeconds { return "the certificate has expired" }
        if now < beginsSeconds - 300 { return "the certificate is not valid yet" }
        if !names.contains(where: { Self.covers($0, domain) }) {
            return "the certificate is not for \(domain)"
        }
        return nil
    }

    /// A wildcard stands for one label (RFC 6125 section 6.4.3).
    private static func covers(_ name: String, _ domain: String) -> Bool {
        guard name.hasPrefix("*.") else { return name == domain }
        guard let dot = domain.firstIndex(of: ".") else { return false }
        return domain[dot...] == name.dropFirst()
    }
}
