import Foundation
import GRDB
import Migration

/// A ledger, and where the other hoster's edge is.
struct KeptLedger: Sendable {
    var ledger: SiteLedger
    /// Asked for when a migration begins; nil: there was none.
    var otherEdge: EdgeAddress?
}

extension KeptLedger {
    /// What the journal says once a site was given away, or runs here again after all; nil: nothing of that
    /// kind has changed. The other hoster's journal has the arrival.
    fileprivate func entry(after old: KeptLedger?) -> (verb: String, began: Double, failure: String?)? {
        guard let migration = ledger.outgoing, migration.state != old?.ledger.outgoing?.state else {
            return nil
        }
        let verb = "migrate to \(migration.plan.peer)"
        return switch migration.state {
        case .settingAside: (verb, migration.beganSeconds, nil)
        case .recalling(let reason): (verb, migration.beganSeconds, reason)
        default: nil
        }
    }
}

/// Where an edge takes connections from the edges of peers.
struct EdgeAddress: Codable, Equatable, Sendable {
    /// TLS, behind a header of the PROXY protocol.
    var tls: String
    /// Plain HTTP, for the challenges of certificate authorities.
    var http: String?
    /// What visitors find in DNS for a site there; nil: it is not told.
    var visitors: [String]?
}

extension SiteStore {
    /// All ledgers, by their sites.
    func ledgers() async throws(Refusal) -> [String: KeptLedger] {
        try await read { database in
            let rows = try Row.fetchAll(database, sql: "SELECT * FROM ledger")
            return try rows.reduce(into: [:]) { ledgers, row in
                let (site, value, edge): (String, String, String?) = (
                    row["site"], row["value"], row["other_edge"]
                )
                let decoder = JSONDecoder()
                ledgers[site] = KeptLedger(
                    ledger: try decoder.decode(SiteLedger.self, from: Data(value.utf8)),
                    otherEdge: try edge.map { try decoder.decode(EdgeAddress.self, from: Data($0.utf8)) })
            }
        }
    }

    /// Keeps one as a whole, and tells the journal of it; it is on the disk when this returns. It does not
    /// wait for others, because what follows from it must not be done before.
    /// - Parameter old: what was kept before; nil: nothing.
    func keep(_ kept: KeptLedger, after old: KeptLedger?) throws(Refusal) {
        do {
            let encoder = JSONEncoder()
            let value = String(decoding: try encoder.encode(kept.ledger), as: UTF8.self)
            let edge = try kept.otherEdge.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
            try database.write { database in
                if kept.ledger.isEmpty {
                    try database.execute(
                        sql: "DELETE FROM ledger WHERE site = ?", arguments: [kept.ledger.site])
                } else {
                    try database.execute(
                        sql: """
                            INSERT INTO ledger VALUES (?1, ?2, ?3)
                            ON CONFLICT (site) DO UPDATE SET value = ?2, other_edge = ?3
                            """, arguments: [kept.ledger.site, value, edge])
                }
                if let entry = kept.entry(after: old) {
                    try database.execute(
                        sql: """
                            INSERT INTO operation (domain, verb, began, ended, failure)
                            VALUES (?, ?, ?, ?, ?)
                            """,
                        arguments: [
                            kept.ledger.site, entry.verb, entry.began, Date().timeIntervalSince1970,
                            entry.failure,
                        ])
                }
            }
        } catch {
            throw Refusal(.unavailable, "the state cannot be written: \(Self.words(error))")
        }
    }
}
