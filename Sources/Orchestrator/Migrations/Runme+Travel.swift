package import Migration
package import Runme

/// What a runme has to do with where its site is.
extension Runme {
    /// Why it is not the runme of a site that was offered, or of none that is taken, in one sentence; nil: it
    /// is.
    package func flaw(against offer: MigrationOffer) -> String? {
        guard [domain] + aliases == offer.names, product == offer.product, memoryBytes <= offer.memoryBytes
        else { return "the runme is not the one that was offered" }
        return travelFlaw.map { "the site \($0)" }
    }

    /// What its containers may have together; all there is, if one of them has no limit.
    var memoryBytes: UInt64 {
        guard case .docker(let docker) = start else { return 0 }
        return ([docker.container] + docker.sidecars.values).reduce(0) { sum, container in
            let (bytes, isHuge) = sum.addingReportingOverflow(container.memoryBytes ?? .max)
            return isHuge ? .max : bytes
        }
    }

    /// Why such a site does not move; nil: it does. A program would run as whomever its folder belongs to,
    /// and an image in the folder may bring names of its own.
    var travelFlaw: String? {
        guard case .docker(let docker) = start else {
            return "is not one of containers, which alone can move"
        }
        let isCarried = ([docker.container] + docker.sidecars.values).contains { container in
            if case .archive = container.image { true } else { false }
        }
        return isCarried ? "carries an image in its folder; give it a name (docker load, docker tag)" : nil
    }

    /// Images that a site wants by their names; those that are carried in its folder come with it.
    var namedImages: [String] {
        guard case .docker(let docker) = start else { return [] }
        return ([docker.container] + docker.sidecars.sorted { $0.key < $1.key }.map(\.value)).compactMap {
            if case .named(let name) = $0.image { name } else { nil }
        }
    }
}
