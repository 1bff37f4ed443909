import EngineSupport
import Foundation
import Support
import Testing

extension SitesOfThisMachine {
    /// The interface is as docs/yardmaster-api.yaml describes it.
    @Suite(.serialized) struct InterfaceTests {
        @Test func everyOperationAnswersAsItIsDescribed() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            let path = try hoster.makeSite("described.example")
            let checked = try run(
                "python3",
                [
                    Repository.path("Tests/Programs/api_check.py"), hoster.interfacePath,
                    Repository.path("docs/yardmaster-api.yaml"), path, SiteImage.name,
                ], seconds: 120)
            #expect(checked.succeeded && checked.output.hasSuffix(" 0 faults\n"), "\(checked.everything)")
            Measured.tell("interface: \(checked.output.split(separator: "\n").last ?? "")")
        }

        /// Only root and a group may ask.
        @Test func theSocketsAreNotForEverybody() throws {
            let hoster = try Hoster(engineSocket: "/nonexistent/docker.sock")
            for name in ["run/api.sock", "run/wake.sock"] {
                let attributes = try FileManager.default.attributesOfItem(atPath: hoster.folder.path(name))
                #expect(attributes[.posixPermissions] as? Int == 0o660, "\(name)")
            }
        }
    }
}
