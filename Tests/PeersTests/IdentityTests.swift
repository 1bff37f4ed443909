import Foundation
import Peers
import Support
import Testing

/// Who a hoster is, and the file that keeps it.
@Suite struct IdentityTests {
    private func mode(_ path: String) throws -> Int {
        try (FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber)?.intValue
            ?? -1
    }

    @Test func anIdentityIsMadeOnceAndOnlyWeMayReadIt() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("peer.pem")
        let made = try Identity.loadOrMake(path: path, name: PeerName("a.example"))
        #expect(try mode(path) == 0o600)
        let loaded = try Identity.loadOrMake(path: path, name: PeerName("other"))
        #expect(loaded.fingerprint == made.fingerprint && loaded.name.text == "a.example")
        #expect(loaded.validity == made.validity)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["peer.pem"])
    }

    @Test func ofManyWhoMakeOneAtOnceAllGetTheSame() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("peer.pem")
        let prints = try await withThrowingTaskGroup(of: Fingerprint.self) { group in
            for _ in 0..<20 {
                group.addTask { try Identity.loadOrMake(path: path, name: PeerName("a")).fingerprint }
            }
            return try await group.reduce(into: Set<Fingerprint>()) { $0.insert($1) }
        }
        #expect(prints.count == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["peer.pem"])
    }

    @Test func aKeyThatOthersMayReadIsRefused() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("peer.pem")
        _ = try Identity.loadOrMake(path: path, name: PeerName("a"))
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
        let error = #expect(throws: PeerError.self) {
            try Identity.loadOrMake(path: path, name: PeerName("a"))
        }
        #expect(error?.kind == .unusable && error?.text.contains("chmod 600") == true)
    }

    @Test func aRenewedCertificateHasTheSameFingerprint() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("peer.pem")
        let old = try Identity.loadOrMake(path: path, name: PeerName("a"))
        let new = try Identity.renew(path: path, at: Date() + 1_000_000)
        #expect(new.fingerprint == old.fingerprint && new.validity.upperBound > old.validity.upperBound)
        #expect(try Identity.loadOrMake(path: path, name: PeerName("a")).validity == new.validity)
        #expect(try mode(path) == 0o600)
    }

    /// What another program takes from the certificate is the same.
    @Test func opensslSeesTheSameFingerprintAndAP256Key() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("peer.pem")
        let identity = try Identity.loadOrMake(path: path, name: PeerName("a"))
        let ran = try run(
            "sh",
            [
                "-c",
                "openssl x509 -in '\(path)' -noout -pubkey | openssl pkey -pubin -outform der | sha256sum; "
                    + "openssl x509 -in '\(path)' -noout -text; "
                    + "openssl verify -check_ss_sig -CAfile '\(path)' '\(path)'",
            ])
        #expect(ran.output.hasPrefix(identity.fingerprint.text), "\(ran.everything)")
        #expect(
            ran.output.contains("prime256v1") && ran.output.contains("Subject: CN = a"), "\(ran.everything)")
    }

    @Test func aDamagedFileIsNoIdentityAndIsNotReplaced() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("peer.pem")
        _ = try Identity.loadOrMake(path: path, name: PeerName("a"))
        let whole = folder.read("peer.pem")
        let other = try Identity(making: PeerName("a")).pem
        let halves = [
            "", String(whole.prefix(whole.count / 2)), whole.replacing("MI", with: "MJ"),
            String(whole[..<(whole.range(of: "-----BEGIN CERT")?.lowerBound ?? whole.endIndex)])
                + String(other[(other.range(of: "-----BEGIN CERT")?.lowerBound ?? other.startIndex)...]),
        ]
        for text in halves {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
            #expect(throws: PeerError.self) { try Identity.loadOrMake(path: path, name: PeerName("a")) }
            #expect(folder.read("peer.pem") == text)
        }
    }

    @Test func fingerprintsAreReadAsPeopleTypeThem() throws {
        let print = try Identity(making: PeerName("a")).fingerprint
        #expect(Fingerprint(print.description) == print && Fingerprint(bytes: print.bytes) == print)
        #expect(Fingerprint(print.text.uppercased()) == print)
        #expect(print.description.split(separator: " ").map(\.count) == Array(repeating: 4, count: 16))
        for wrong in ["", String(print.text.dropLast()), print.text + "0", "g" + print.text.dropFirst()] {
            #expect(Fingerprint(wrong) == nil)
        }
    }

    @Test(arguments: [
        ("a.example", "a.example:7443"), ("A.Example:1", "a.example:1"),
        ("192.0.2.1:65535", "192.0.2.1:65535"),
        ("[2001:db8::1]", "[2001:db8::1]:7443"), ("[2001:DB8::1]:80", "[2001:db8::1]:80"),
    ])
    func addressesAreRead(text: String, meaning: String) throws {
        #expect(try PeerAddress(text).description == meaning)
        #expect(try PeerAddress(meaning).description == meaning)
    }

    @Test(arguments: [
        "", ":", ":80", "a:", "a:0", "a:65536", "a:-1", "a:+1", "a:1x", "a b", "[::1", "[a]:80", "[::1]80",
        "::1", "-a",
        "a\n", "a/b", "[]", "[]:1",
    ])
    func whatIsNoAddressIsRefused(text: String) { #expect(throws: PeerError.self) { try PeerAddress(text) } }

    @Test(arguments: [
        "", "A", "-a", ".a", "a b", "ä", String(repeating: "a", count: 64), "a\n", "a/b", "a_b",
    ])
    func whatIsNoNameIsRefused(text: String) { #expect(throws: PeerError.self) { try PeerName(text) } }

    @Test func permissionsAreListedInWords() {
        #expect(PeerPermissions.standard.text == "offer sites to us")
        #expect(PeerPermissions([]).text == "nothing")
        #expect(PeerPermissions([.offer, .standby]).words == ["offer", "standby"])
        for word in ["offer", "fetch", "standby"] { #expect(PeerPermissions(word: word)?.words == [word]) }
        #expect(PeerPermissions(word: "everything") == nil)
    }
}
