import Support

/// A certificate with its key for a time of its own, signed by itself; by `openssl ca`, because nothing else
/// of openssl 3.0 makes one that is over.
struct RogueCertificate {
    /// Key and certificate in one.
    let pem: String
    /// SHA-256 of the certificate, as an offer has it.
    let fingerprint: String

    /// The times as ASN.1 writes them.
    init(for domain: String, from: String, to: String) throws {
        let folder = try TemporaryFolder()
        let script = """
            set -e; cd "$1"; : > index; echo 01 > serial
            cat > conf <<'END'
            [ca]
            default_ca = own
            [own]
            database = index
            serial = serial
            new_certs_dir = .
            default_md = sha256
            policy = any
            [any]
            commonName = supplied
            [names]
            subjectAltName = DNS:\(domain)
            END
            openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key \
                -subj /CN=\(domain) -out request
            openssl ca -batch -config conf -selfsign -keyfile key -in request -notext -extensions names \
                -startdate \(from) -enddate \(to) -out certificate
            cat key certificate > pem
            openssl x509 -in certificate -noout -fingerprint -sha256
            """
        let made = try run("sh", ["-c", script, "sh", folder.path])
        guard made.succeeded else { throw ChildProcessError(description: made.everything) }
        pem = folder.read("pem")
        fingerprint = try TestCertificate.fingerprint(in: made.output).replacing(":", with: "").lowercased()
            .filter { $0.isHexDigit }
    }
}
