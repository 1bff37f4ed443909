/// The steps of a migration, as a person is told of them; what a plan prints and the manual explains. What
/// the machines do in each is in LIFECYCLE.md.
package enum MigrationStep: String, CaseIterable, Codable, Sendable {
    case agree, certificate, image, copy, fence, lastCopy, compare, grant, switchOver, forward, end

    /// What is done.
    package var title: String {
        switch self {
        case .agree: "agree with the new hoster on product, space, limits and names"
        case .certificate: "send certificate and key"
        case .image: "bring the image there"
        case .copy: "copy the data while the site runs, in rounds, until little is left"
        case .fence: "let visitors wait, make the data consistent, stop the site"
        case .lastCopy: "copy what has changed since"
        case .compare: "compare the digests of every file on both sides"
        case .grant: "make the new hoster the only writer; the site starts there and is probed"
        case .switchOver: "lead the waiting visitors to the new hoster, and all that come"
        case .forward: "forward until DNS has moved"
        case .end: "stop forwarding; the old copy is kept for a while, and removed"
        }
    }

    /// What must hold before.
    package var precondition: String {
        switch self {
        case .agree: "this hoster holds the site's epoch, and no other migration of it is under way"
        case .certificate: "the offer was accepted"
        case .image: "the certificate there is the one that was offered, valid and with its key"
        case .copy: "certificate and image are there"
        case .fence: "the pause that the rounds predict is within the promise"
        case .lastCopy: "nothing writes: the site has stopped"
        case .compare: "the last copy went through, and the staging takes no other"
        case .grant: "the digests are equal, and there is time left to start within the promise"
        case .switchOver: "the site answers there"
        case .forward: "the switch was made"
        case .end: "hardly anybody comes by the old address, or the operator says so"
        }
    }

    /// What takes it back; nil: nothing does, only a migration back.
    package var undo: String? {
        switch self {
        case .agree: "the new hoster refuses this epoch for ever, and forgets the migration"
        case .certificate, .image: "the new hoster removes it with its staging"
        case .copy, .lastCopy, .compare: "the new hoster removes its staging"
        case .fence: "the site is started, and visitors are led to it"
        case .grant: "the new hoster stops and releases; then the site is started here, in a later epoch"
        case .switchOver, .forward, .end: nil
        }
    }

    /// Why it may be done again after a crash.
    package var idempotence: String {
        switch self {
        case .agree: "an offer that was accepted is accepted again"
        case .certificate: "the same file is written over itself; its fingerprint is compared"
        case .image: "an image that is there by its digest is not brought again"
        case .copy, .lastCopy: "a pass makes the staging equal to the data, wherever another one ended"
        case .fence: "parking, snapshot and stop are of no effect on what is parked and stopped"
        case .compare: "it only reads, and nothing writes on either side"
        case .grant: "an epoch is granted to one migration; the same grant is taken once, and answered again"
        case .switchOver: "a route is published as it shall be, not changed"
        case .forward: "a record of DNS and a folder's place are set, not changed"
        case .end: "what is removed already is not there"
        }
    }

    /// Whether the operator may still say `revert`.
    package var isRevertible: Bool { undo != nil }
}
