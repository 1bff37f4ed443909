import EngineSupport
import Foundation
import Orchestrator
import Support
import Testing
import YardKit

/// Vagrant, and the program by which it speaks to a container engine.
enum VagrantProgram {
    /// Whether both are there; when they are not, the tests are skipped, with a loud line.
    static var isThere: Bool {
        let missing = ["vagrant", "docker"].filter { ProgramPath.find($0) == nil }
        guard !missing.isEmpty else { return true }
        Measured.tell("SKIPPED: sites of Vagrant: there is no \(missing.joined(separator: " and no ")) here")
        return false
    }
}

extension SitesOfThisMachine {
    /// Sites that Vagrant runs. What it runs here is a container: a virtual machine cannot be had everywhere.
    @Suite(.serialized, .enabled(if: VagrantProgram.isThere)) struct VagrantTests {
        /// The name of both the container and its network.
        private static let name = "switchyard-test-vagrant"
        /// By this value of the tests' label the container is found.
        private static let mark = "vagrant"
        /// Vagrant needs seconds for everything, and others want the processors, too.
        private static let secondsMax = 240.0

        /// Writes a site whose Vagrantfile makes a container at an address.
        private func makeSite(_ hoster: Hoster, _ domain: String, at address: String) throws {
            try hoster.makeCertificate(domain)
            try hoster.folder.write(
                "sites/\(domain)/vm/Vagrantfile",
                """
                ENV["DOCKER_HOST"] = "unix://\(hoster.engineSocket)"
                Vagrant.configure("2") do |config|
                  config.vm.synced_folder ".", "/vagrant", disabled: true
                  config.vm.provider "docker" do |docker|
                    docker.image = "\(SiteImage.name)"
                    docker.name = "\(Self.name)"
                    docker.has_ssh = false
                    docker.remains_running = true
                    docker.env = { "SWITCHYARD_CERTIFICATE" => "/tls/site.pem" }
                    docker.create_args = [
                      "--network", "\(Self.name)", "--ip", "\(address)",
                      "--label", "\(DockerEngine.label)=\(Self.mark)",
                      "--volume", "#{File.expand_path("../tls", __dir__)}:/tls:ro"
                    ]
                  end
                end

                """)
            try hoster.folder.write(
                "sites/\(domain)/runme",
                """
                #!/usr/bin/env -S yard run
                runme: 1
                domain: \(domain)
                start:
                  vagrant: { directory: vm, address: \(address), ports: { tls: 443 } }
                ready: { check: hello, within: 60s }
                sleep: { after: never }
                tls: { certificate: tls/site.pem }

                """)
        }

        /// Runs the body with a hoster and a network of its own, and removes container and network, whatever
        /// happens.
        private func withHoster(
            compare: String = "5s", _ body: (Hoster, SiteNetwork) async throws -> Void
        ) async throws {
            try await Sites.prepare()
            let home = try TemporaryFolder()
            let hoster = try Hoster(
                compare: compare, wakeTimeout: "120s", environment: ["VAGRANT_HOME": home.path("vagrant")])
            let network = try #require(SiteNetwork.Pool("10.127.242.0/24"))[2]
            try await clear(hoster)
            try await hoster.withEngine { engine in
                try await engine.createNetwork(Self.name, labels: [:], addresses: network)
            }
            do {
                try await body(hoster, network)
            } catch {
                try? hoster.endYardmaster(signal: SIGTERM)
                try? await clear(hoster)
                throw error
            }
            try hoster.endYardmaster(signal: SIGTERM)
            try await clear(hoster)
        }

        private func clear(_ hoster: Hoster) async throws {
            try await hoster.withEngine { engine in
                for container in try await engine.containers(labelled: DockerEngine.label, Self.mark) {
                    try await engine.removeContainer(container.identifier)
                }
                try await engine.removeNetwork(Self.name)
            }
        }

        /// The containers of the site, and whether they run.
        private func containers(_ hoster: Hoster) async throws -> [Bool] {
            try await hoster.withEngine { engine in
                try await engine.containers(labelled: DockerEngine.label, Self.mark).map(\.isRunning)
            }
        }

        /// It serves, sleeps, is woken by a visitor, comes back when it was killed, and leaves nothing.
        @Test func aMachineOfVagrantIsASite() async throws {
            try await withHoster { hoster, network in
                let domain = "machine.example"
                try makeSite(hoster, domain, at: network.address)
                let added = try hoster.yard("site", "add", domain, "--start", seconds: Self.secondsMax)
                #expect(
                    added.succeeded && added.output == "machine.example is awake\n", "\(added.everything)")
                #expect(hoster.routes[domain] == "\(domain) \(network.address):443")
                #expect(try hoster.visit(domain).output == "from the image\n")
                #expect(try await containers(hoster) == [true])

                let slept = try hoster.yard("site", "sleep", domain, seconds: Self.secondsMax)
                #expect(slept.succeeded, "\(slept.everything)")
                #expect(hoster.routes[domain]?.hasPrefix("\(domain) asleep wake=unix:") == true)
                #expect(try await containers(hoster) == [false])

                let woken = try hoster.visit(domain, seconds: 120)
                #expect(woken.output == "from the image\n", "\(woken.everything)")
                #expect(try await containers(hoster) == [true])
                #expect(hoster.waits(for: "awake", of: domain, seconds: Self.secondsMax))

                try await hoster.withEngine { try await $0.stopContainer(Self.name, afterSeconds: 0) }
                let isBack = try await eventually(seconds: Self.secondsMax) {
                    try hoster.visit(domain, seconds: 60).output == "from the image\n"
                }
                #expect(isBack, "\(hoster.yardmaster.errors.suffix(2000))")
                #expect(try await containers(hoster) == [true])

                let removed = try hoster.yard("site", "remove", domain, seconds: Self.secondsMax)
                #expect(
                    removed.output == "machine.example is removed; its folder stays\n",
                    "\(removed.everything)")
                #expect(try await containers(hoster).isEmpty)
                #expect(hoster.routes.isEmpty)
                #expect(FileManager.default.fileExists(atPath: hoster.folder.path("sites/\(domain)/runme")))
            }
        }

        /// A mistake in a Vagrantfile is told when the site is added, in Vagrant's own words, and one without
        /// its Vagrantfile can be removed.
        @Test func mistakesOfAVagrantfileAreTold() async throws {
            // Nobody looks between the changes: what was seen of one would be told of the next.
            try await withHoster(compare: "1h") { hoster, network in
                let domain = "mistake.example"
                try makeSite(hoster, domain, at: network.address)
                let file = "sites/\(domain)/vm/Vagrantfile"
                let text = hoster.folder.read(file)
                #expect(try hoster.yard("site", "add", domain, seconds: Self.secondsMax).succeeded)
                for (wrong, words) in [
                    (text.replacing("do |config|", with: "do |config"), "syntax error"),
                    (text.replacing(hoster.engineSocket, with: "/nonexistent/docker.sock"), "usable"),
                    (
                        text.replacing(
                            "\"--network\", \"\(Self.name)\"", with: "\"--network\", \"none-such\""),
                        "network none-such not found"
                    ),
                ] {
                    try hoster.folder.write(file, wrong)
                    let started = try hoster.yard("site", "start", domain, seconds: Self.secondsMax)
                    #expect(
                        started.ending == .status(1) && started.errors.contains(words),
                        "\(words): \(started.everything)")
                    #expect(hoster.waits(for: "stopped", of: domain, seconds: Self.secondsMax))
                }
                try FileManager.default.removeItem(atPath: hoster.folder.path(file))
                let started = try hoster.yard("site", "start", domain, seconds: Self.secondsMax)
                #expect(started.errors.contains("there is no Vagrantfile in "), "\(started.everything)")
                let removed = try hoster.yard("site", "remove", domain, seconds: Self.secondsMax)
                #expect(removed.succeeded, "\(removed.everything)")
            }
        }
    }
}
