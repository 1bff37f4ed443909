import Support
import Testing

extension EndToEnd {
    /// The right certificate for each name, and the right refusal where there is none.
    @Suite struct Routing {
        /// Every client gets the certificate of the name that it asks for, from each kind of server.
        @Test func eachNameGetsItsCertificate() throws {
            let backends = try [
                Backend(.nginx, for: "a.example"), Backend(.openssl, for: "b.example"),
                Backend(.python, for: "c.example"),
            ]
            let edge = try Edge(routes: backends.map(\.route).joined(separator: "\n"))
            for client in Client.allCases {
                for backend in backends {
                    let seen = try client.fingerprint(of: backend.certificate.name, through: edge)
                    #expect(seen == backend.certificate.fingerprint, "\(client), \(backend.certificate.name)")
                }
            }
        }

        @Test func aClientThatTrustsOneSiteAloneGetsItsPage() throws {
            let first = try Backend(.nginx, for: "a.example")
            let second = try Backend(.python, for: "b.example")
            let edge = try Edge(routes: "\(first.route)\n\(second.route)")
            for backend in [first, second] {
                let name = backend.certificate.name
                let page = try Curl.get(name, through: edge, trusting: backend.certificate)
                #expect(page.succeeded, "\(page.everything)")
                #expect(page.output.hasPrefix("\(name) answered by"))
            }
            let wrong = try Curl.get("a.example", through: edge, trusting: second.certificate)
            #expect(wrong.ending == .status(60), "curl accepted another site's certificate")
        }

        @Test func theMostSpecificNameWinsAndAWildcardStandsForOneLabel() throws {
            let exact = try Backend(.openssl, for: "www.wild.example")
            let wildcard = try Backend(.openssl, for: "*.wild.example")
            let fallback = try Backend(.openssl, for: "fallback.example")
            let edge = try Edge(
                routes: "\(wildcard.route)\n* \(fallback.endpoint)\n\(exact.route)")
            let expected = [
                "www.wild.example": exact, "other.wild.example": wildcard,
                "deep.er.wild.example": fallback, "wild.example": fallback, "elsewhere.test": fallback,
            ]
            for (name, backend) in expected {
                #expect(
                    try Client.openssl.fingerprint(of: name, through: edge)
                        == backend.certificate.fingerprint,
                    "\(name)")
            }
        }

        @Test func upperCaseAndATrailingDotMakeNoDifference() throws {
            let backend = try Backend(.openssl, for: "a.example")
            let edge = try Edge(routes: backend.route)
            for name in ["A.Example", "a.example."] {
                let seen = try Client.openssl.fingerprint(of: name, through: edge)
                #expect(seen == backend.certificate.fingerprint, "\(name)")
            }
            try edge.waitForAccessLine { $0["name"] == "a.example" }
        }

        @Test func anUnknownNameIsRefusedWithUnrecognizedName() throws {
            let edge = try Edge(routes: "a.example 127.0.0.1:1")
            let openssl = try OpenSSLClient.connect(to: edge, ["-servername", "other.example"])
            #expect(openssl.errors.contains("SSL alert number 112"), "\(openssl.everything)")
            let python = try PythonClient.get("other.example", through: edge)
            #expect(python.errors.contains("UNRECOGNIZED_NAME"), "\(python.errors)")
            let curl = try Curl.get("other.example", through: edge)
            #expect(curl.ending == .status(35), "\(curl.everything)")
            let line = try edge.waitForAccessLine { $0["name"] == "other.example" }
            #expect(line["end"] == "unknown-name")
        }

        @Test func aHelloWithoutANameGoesToTheDefault() throws {
            let backend = try Backend(.python, for: "fallback.example")
            let edge = try Edge(routes: "a.example 127.0.0.1:1\n* \(backend.endpoint)")
            let page = try PythonClient.get(nil, through: edge)
            #expect(page.output.contains(backend.certificate.fingerprint), "\(page.everything)")
        }

        @Test func aHelloWithoutANameIsRefusedWithMissingExtensionWhereThereIsNoDefault() throws {
            let edge = try Edge(routes: "a.example 127.0.0.1:1")
            let openssl = try OpenSSLClient.connect(to: edge, ["-noservername"])
            #expect(openssl.errors.contains("SSL alert number 109"), "\(openssl.everything)")
        }

        @Test func aRouteMayRefuseByAlertOrByReset() throws {
            let edge = try Edge(routes: "gone.example reject\nhard.example reset")
            let gone = try OpenSSLClient.connect(to: edge, ["-servername", "gone.example"])
            #expect(gone.errors.contains("SSL alert number 112"), "\(gone.everything)")
            let hard = try StreamSocket(to: edge.endpoint)
            try hard.send(HelloBuilder(name: "hard.example").record())
            #expect(throws: SocketError.connectionReset) { try hard.receive() }
        }

        @Test func plainHTTPGetsASentenceAndStatus400() throws {
            let edge = try Edge(routes: "a.example 127.0.0.1:1")
            let answer = try run(
                "curl", ["-sS", "-i", "--noproxy", "*", "http://127.0.0.1:\(edge.port)/"])
            #expect(answer.succeeded, "\(answer.everything)")
            #expect(answer.output.hasPrefix("HTTP/1.1 400 "))
            #expect(answer.output.contains("https"))
            try edge.waitForAccessLine { $0["end"] == "plain-http" }
        }

        @Test func theAccessLineSaysWhoWhatAndWhere() throws {
            let backend = try Backend(.nginx, for: "a.example")
            let edge = try Edge(routes: backend.route)
            #expect(try Curl.get("a.example", through: edge, trusting: backend.certificate).succeeded)
            let line = try edge.waitForAccessLine { $0["name"] == "a.example" }
            #expect(line["client"].hasPrefix("127.0.0.1:"))
            #expect(line["target"] == backend.endpoint.description)
            #expect(line["alpn"].contains("h2"))
            #expect(Int(line["up"]) ?? 0 > 500, "\(line)")
            #expect(Int(line["down"]) ?? 0 > 500, "\(line)")
            #expect(line["end"] == "completed")
        }
    }
}
