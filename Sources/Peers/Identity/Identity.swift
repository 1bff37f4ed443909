import Crypto
package import Foundation
import NIOSSL
import SwiftASN1
import X509

/// Who we are to our peers: a P-256 key, and a certificate that it has signed itself. Nobody looks at names
/// or signers: peers know each other by their keys.
package struct Identity: Sendable {
    /// How long a certificate is good. Its key is what is pinned; the end is only there so that one which was
    /// forgotten somewhere does not work for ever.
    package static let lifetime: TimeInterval = 10 * 365.25 * 86_400
    /// From how long before it was made: clocks of hosters differ.
    private static let headStart: TimeInterval = 86_400

    /// What the hoster calls itself.
    package let name: PeerName
    /// What peers pin.
    package let fingerprint: Fingerprint
    /// The time within which it is good.
    package let validity: ClosedRange<Date>

    private let key: P256.Signing.PrivateKey
    private let certificate: Certificate

    /// A new key, and its certificate.
    package init(
        making name: PeerName, at now: Date = Date(), lifetime: TimeInterval = Self.lifetime
    ) throws(PeerError) {
        try self.init(name: name, key: P256.Signing.PrivateKey(), at: now, lifetime: lifetime)
    }

    private init(
        name: PeerName, key: P256.Signing.PrivateKey, at now: Date, lifetime: TimeInterval
    ) throws(PeerError) {
        do {
            let subject = try DistinguishedName { CommonName(name.text) }
            let certificate = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(),
                publicKey: Certificate.PublicKey(key.publicKey),
                notValidBefore: now - Self.headStart, notValidAfter: now + lifetime,
                issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.serverAuth, .clientAuth])
                },
                issuerPrivateKey: Certificate.PrivateKey(key))
            try self.init(key: key, certificate: certificate)
        } catch {
            throw PeerError(.unusable, "no certificate can be made: \(error)")
        }
    }

    private init(key: P256.Signing.PrivateKey, certificate: Certificate) throws {
        self.key = key
        self.certificate = certificate
        let common = certificate.subject.lazy.flatMap { $0 }.first { $0.type == .RDNAttributeType.commonName }
        name = try PeerName(common.map { String(describing: $0.value) } ?? "")
        fingerprint = Fingerprint(publicKeyInfo: Array(key.publicKey.derRepresentation))
        guard certificate.publicKey == Certificate.PublicKey(key.publicKey),
            certificate.notValidBefore <= certificate.notValidAfter
        else { throw PeerError(.unusable, "the certificate is not that of the key") }
        validity = certificate.notValidBefore...certificate.notValidAfter
    }

    /// The same key with a certificate that is good for longer; peers notice nothing.
    package func renewed(
        at now: Date = Date(), lifetime: TimeInterval = Self.lifetime
    ) throws(PeerError) -> Identity {
        try Identity(name: name, key: key, at: now, lifetime: lifetime)
    }

    // MARK: As text

    /// Key and certificate in one text, so that they are always of one piece.
    package var pem: String {
        get throws(PeerError) {
            do {
                return key.pemRepresentation + "\n" + (try certificate.serializeAsPEM().pemString) + "\n"
            } catch {
                throw PeerError(.unusable, "the certificate cannot be written: \(error)")
            }
        }
    }

    package init(pem: String) throws(PeerError) {
        do {
            let documents = try PEMDocument.parseMultiple(pemString: pem)
            guard let keyText = documents.first(where: { $0.discriminator == "PRIVATE KEY" }),
                let certificateText = documents.first(where: { $0.discriminator == "CERTIFICATE" })
            else { throw PeerError(.unusable, "a key or a certificate is missing") }
            try self.init(
                key: P256.Signing.PrivateKey(pemRepresentation: keyText.pemString),
                certificate: Certificate(pemDocument: certificateText))
        } catch let error as PeerError {
            throw error
        } catch {
            throw PeerError(.unusable, "it is no key and certificate: \(error)")
        }
    }

    // MARK: For TLS

    /// The rules of both ends: TLS 1.3, and a certificate from each. Who the other end is decides the
    /// callback that each connection brings: it takes the place of the usual check against authorities, of
    /// which there are none.
    func securityContext(protocols: [String], limits: PeerLimits) throws(PeerError) -> NIOSSLContext {
        do {
            let certificate = try NIOSSLCertificate(
                bytes: Array(Data(certificate.serializeAsPEM().pemString.utf8)), format: .pem)
            let key = try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: [.certificate(certificate)], privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv13
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates([])
            configuration.applicationProtocols = protocols
            configuration.shutdownTimeout = limits.close
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw PeerError(.unusable, "our certificate cannot be used: \(error)")
        }
    }
}

extension PeerError {
    /// A certificate is out of its time. Often it is the clock that is wrong.
    static func outOfTime(_ whose: String, _ validity: ClosedRange<Date>, at now: Date) -> PeerError? {
        if validity.contains(now) { return nil }
        let clock = "our clock says \(now.ISO8601Format())"
        return now > validity.upperBound
            ? PeerError(.expired, "\(whose) has expired on \(validity.upperBound.ISO8601Format()); \(clock)")
            : PeerError(
                .expired,
                "\(whose) is not valid before \(validity.lowerBound.ISO8601Format()); \(clock): are "
                    + "the clocks right?"
            )
    }
}
