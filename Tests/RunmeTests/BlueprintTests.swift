import Routes
import Runme
import Testing

/// A runme of what an image declares.
@Suite struct BlueprintTests {
    private func blueprint(
        _ declaration: Blueprint.Declaration, image: String = "wordpress:6", domain: String = "example.org",
        tlsPort: UInt16? = nil
    ) throws(Blueprint.Fault) -> Blueprint {
        try Blueprint(image: image, declaration, domain: domain, tlsPort: tlsPort)
    }

    private func parse(_ blueprint: Blueprint) throws -> Runme {
        let (runme, warnings) = try Runme.parse(SourceFile(path: "runme", text: blueprint.text))
        #expect(warnings.kept.isEmpty)
        return runme
    }

    @Test func everythingThatIsDeclaredIsInTheRunme() throws {
        let made = try blueprint(
            Blueprint.Declaration(
                volumes: ["/var/www/html", "/var/lib/mysql/"], ports: ["80/tcp", "443/tcp", "443/udp"],
                user: "www-data", startMilliseconds: 90_500))
        #expect(
            made.text == """
                #!/usr/bin/env -S yard run
                # Made from what the image wordpress:6 declares; see to what is marked with TODO.
                runme: 1
                domain: example.org
                start:
                  docker:
                    image: wordpress:6
                    ports: { tls: 443, http: 80 }
                    volumes:
                      html: /var/www/html
                      mysql: /var/lib/mysql
                # It runs as the user www-data, who has to be able to read the certificate's file and to write
                # the volumes; those that are new begin with the image's own owners.
                # By its own HEALTHCHECK a start may take 91 s.
                ready: { check: hello, within: 91s }
                # The certificate with its key; the container sees it under /tls, and its place in
                # $SWITCHYARD_CERTIFICATE.
                tls: { certificate: tls/example.org.pem }

                """)
        let runme = try parse(made)
        var container = Runme.Container(image: .named("wordpress:6"))
        container.volumes = ["html": "/var/www/html", "mysql": "/var/lib/mysql"]
        #expect(
            runme.start
                == .docker(Runme.Docker(container: container, ports: Runme.Ports(tls: 443, http: 80))))
    }

    @Test func anImageThatDeclaresNothingElseHasATodo() throws {
        let made = try blueprint(Blueprint.Declaration(ports: ["8443"]))
        #expect(made.text.contains("# TODO: volumes:") && made.ports == Runme.Ports(tls: 8443))
        #expect(try parse(made).ready.withinMilliseconds == 60_000)
    }

    @Test(
        "The port of TLS is the usual one, or one that looks like it",
        arguments: [
            (["443/tcp", "8443/tcp"], 443), (["8443/tcp", "80/tcp"], 8443), (["10443/tcp"], 10443),
            (["0443/tcp", "8080/tcp"], 443),
        ] as [([String], UInt16)])
    func tlsPort(ports: [String], expected: UInt16) throws {
        #expect(try blueprint(Blueprint.Declaration(ports: ports)).ports.tls == expected)
    }

    @Test func anImageWithoutTLSIsRefusedUnlessSomebodyKnowsBetter() throws {
        let declaration = Blueprint.Declaration(ports: ["80/tcp", "443/udp"])
        #expect(throws: Blueprint.Fault.noTLSPort(["80/tcp", "443/udp"])) { try blueprint(declaration) }
        #expect(try blueprint(declaration, tlsPort: 9000).ports == Runme.Ports(tls: 9000, http: 80))
    }

    @Test func volumesHaveNamesOfTheirOwn() throws {
        let paths = [
            "/a/data", "/b/data", "/c/env", "/tls", "/", "/x:y", "/a/../b", "/ä/Ö", "/q/runme", "/a/data/",
        ]
        let made = try blueprint(Blueprint.Declaration(volumes: paths, ports: ["443"]))
        #expect(
            made.volumes == [
                "data": "/a/data", "data-2": "/b/data", "env-2": "/c/env", "runme-2": "/q/runme",
                "data-3": "/ä/Ö",
            ])
        #expect(made.oddVolumes == ["/", "/a/../b", "/tls", "/x:y"])
        guard case .docker(let docker) = try parse(made).start else { return #expect(Bool(false)) }
        #expect(docker.container.volumes == made.volumes)
    }

    @Test func noWordOfAnImageBecomesAnythingElseInTheRunme() throws {
        for name in ["", "a b", "a\nb", "a\"b", "ü", "a#b", "a,b"] {
            #expect(throws: Blueprint.Fault.name, "\(name)") {
                try blueprint(Blueprint.Declaration(ports: ["443"]), image: name)
            }
        }
        let nasty = "x\"\n  evil: true #\u{7f}\\"
        let made = try blueprint(
            Blueprint.Declaration(volumes: ["/\(nasty)", "/a b\"\\#"], ports: ["443"], user: nasty))
        guard case .docker(let docker) = try parse(made).start else { return #expect(Bool(false)) }
        #expect(Array(docker.container.volumes.values) == ["/a b\"\\#"])
        #expect(throws: InvalidSource.self) {
            try parse(blueprint(Blueprint.Declaration(ports: ["443"]), domain: nasty))
        }
        for digest in ["ghcr.io/a/b@sha256:\(String(repeating: "0", count: 64))", "1234:5", "true", "a:1"] {
            guard
                case .docker(let docker) = try parse(
                    blueprint(Blueprint.Declaration(ports: ["443"]), image: digest)
                ).start
            else { return #expect(Bool(false)) }
            #expect(docker.container.image == .named(digest))
        }
    }
}
