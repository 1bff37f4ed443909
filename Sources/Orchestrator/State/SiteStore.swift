import Foundation
import GRDB

/// What is kept across restarts, in one SQLite file with a write-ahead log: which sites there are, what is
/// wanted of them, and a journal of who wanted what. A change and its entry in the journal are one
/// transaction, so after a crash at any point the journal tells what is still to be done.
package struct SiteStore: Sendable {
    /// Entries of the journal beyond these are forgotten, the oldest first.
    static let journalMax = 10_000

    let database: DatabasePool
    /// Tells this yardmaster from others on the same engine. Nobody else knows it before it has made
    /// something.
    package let identity: String

    /// Opens the file, and makes it if there is none.
    package init(path: String) throws(Refusal) {
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(5)
            configuration.prepareDatabase { database in
                // What was acknowledged survives a loss of power.
                try database.execute(sql: "PRAGMA synchronous = FULL")
            }
            database = try DatabasePool(path: path, configuration: configuration)
            try Self.migrator.migrate(database)
            identity = try database.read { database in
                guard let value = try String.fetchOne(database, sql: "SELECT value FROM identity") else {
                    throw DatabaseError(message: "it does not say whose it is")
                }
                return value
            }
        } catch {
            throw Refusal(.unavailable, "the state in \(path) cannot be opened: \(Self.words(error))")
        }
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("sites") { database in
            try database.execute(
                sql: """
                    CREATE TABLE site (
                        domain TEXT NOT NULL PRIMARY KEY,
                        folder TEXT NOT NULL UNIQUE,
                        network INTEGER NOT NULL UNIQUE,
                        wish TEXT NOT NULL CHECK (wish IN ('stopped', 'asleep', 'awake', 'removed')),
                        revision INTEGER NOT NULL,
                        runme TEXT NOT NULL
                    ) STRICT;
                    CREATE TABLE name (
                        name TEXT NOT NULL PRIMARY KEY,
                        domain TEXT NOT NULL REFERENCES site ON DELETE CASCADE
                    ) STRICT;
                    CREATE INDEX name_by_domain ON name (domain);
                    CREATE TABLE operation (
                        identifier INTEGER PRIMARY KEY AUTOINCREMENT,
                        domain TEXT NOT NULL,
                        verb TEXT NOT NULL,
                        previous_wish TEXT,
                        began REAL NOT NULL,
                        ended REAL,
                        failure TEXT
                    ) STRICT;
                    CREATE INDEX operation_by_domain ON operation (domain);
                    CREATE INDEX operation_under_way ON operation (identifier) WHERE ended IS NULL;
                    """)
        }
        migrator.registerMigration("migrations") { database in
            try database.execute(
                sql: """
                    CREATE TABLE ledger (
                        site TEXT NOT NULL PRIMARY KEY,
                        value TEXT NOT NULL,
                        other_edge TEXT
                    ) STRICT;
                    CREATE TABLE peer (
                        name TEXT NOT NULL PRIMARY KEY,
                        address TEXT NOT NULL,
                        fingerprint TEXT NOT NULL UNIQUE,
                        since REAL NOT NULL,
                        permissions INTEGER NOT NULL
                    ) STRICT;
                    CREATE TABLE invitation (
                        key TEXT NOT NULL PRIMARY KEY,
                        peer TEXT NOT NULL,
                        permissions INTEGER NOT NULL,
                        expires REAL NOT NULL,
                        failures INTEGER NOT NULL,
                        used_by TEXT
                    ) STRICT;
                    """)
        }
        migrator.registerMigration("identity") { database in
            try database.execute(sql: "CREATE TABLE identity (value TEXT NOT NULL) STRICT")
            try database.execute(
                sql: "INSERT INTO identity VALUES (?)", arguments: [UUID().uuidString.lowercased()])
        }
        return migrator
    }

    /// One sentence of what the database has to say.
    static func words(_ error: any Error) -> String {
        (error as? DatabaseError)?.message ?? (error as NSError).localizedDescription
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(Refusal) -> Value {
        do {
            return try await database.write(body)
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(.unavailable, "the state cannot be written: \(Self.words(error))")
        }
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(Refusal) -> Value {
        do {
            return try await database.read(body)
        } catch {
            throw Refusal(.unavailable, "the state cannot be read: \(Self.words(error))")
        }
    }

    // MARK: Sites

    /// All sites, in the order of their domains.
    package func sites() async throws(Refusal) -> [SiteRecord] {
        try await read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM site ORDER BY domain").map(SiteRecord.init)
        }
    }

    /// Keeps a new site with its names, on the first network that is free of `networkCount`; `obstacle` says
    /// what else has addresses of one.
    package func add(
        domain: String, names: [String], folder: String, runme: String, wish: Wish,
        verb: String = Operation.additionVerb, networkCount: Int,
        obstacle: @escaping @Sendable (Int) -> String? = { _ in nil }
    ) async throws(Refusal) -> (SiteRecord, Operation) {
        try await write { database in
            let taken = try Set(Int.fetchAll(database, sql: "SELECT network FROM site"))
            let free = (0..<networkCount).lazy.filter { !taken.contains($0) }
            guard let network = free.first(where: { obstacle($0) == nil }) else {
                let other = free.first.flatMap(obstacle).map { ", some by the engine's network \($0)" } ?? ""
                throw Refusal(
                    .conflict,
                    "there is no free network for another site: all \(networkCount) are taken\(other)")
            }
            guard
                try String.fetchOne(
                    database, sql: "SELECT domain FROM site WHERE domain = ?", arguments: [domain]) == nil
            else { throw Refusal(.conflict, "there is a site \(domain) already") }
            if let other = try String.fetchOne(
                database, sql: "SELECT domain FROM site WHERE folder = ?", arguments: [folder])
            {
                throw Refusal(.conflict, "\(folder) is the folder of \(other) already")
            }
            let record = SiteRecord(
                domain: domain, folder: folder, network: network, wish: wish, revision: 1, runme: runme)
            try Self.checkNames(database, names, of: domain)
            try database.execute(
                sql: "INSERT INTO site VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [domain, folder, network, wish.rawValue, 1, runme])
            try Self.writeNames(database, names, of: domain)
            return (record, try Self.begin(database, domain, verb, previously: nil))
        }
    }

    /// Notes that something is wanted of a site, with another runme if there is one; `renewed`: what runs is
    /// to be started anew.
    package func change(
        _ domain: String, to wish: Wish, verb: String, runme: (text: String, names: [String])? = nil,
        isRenewed: Bool = false, folder: String? = nil
    ) async throws(Refusal) -> (SiteRecord, Operation) {
        try await write { database in
            var record = try Self.record(database, domain)
            guard record.wish != .removed || wish == .removed else {
                throw Refusal(.conflict, "\(domain) is being removed")
            }
            let previous = record.wish
            record.wish = wish
            record.folder = folder ?? record.folder
            if let runme {
                try Self.checkNames(database, runme.names, of: domain)
                try database.execute(sql: "DELETE FROM name WHERE domain = ?", arguments: [domain])
                try Self.writeNames(database, runme.names, of: domain)
                record.runme = runme.text
            }
            if runme != nil || isRenewed { record.revision += 1 }
            try Self.update(database, record)
            return (record, try Self.begin(database, domain, verb, previously: previous))
        }
    }

    /// Another wish without an entry in the journal: what was wanted before an operation that has failed.
    package func revert(
        _ domain: String, to wish: Wish, runme: (text: String, names: [String])? = nil
    ) async throws(Refusal) -> SiteRecord {
        try await write { database in
            var record = try Self.record(database, domain)
            record.wish = wish
            if let runme {
                try Self.checkNames(database, runme.names, of: domain)
                try database.execute(sql: "DELETE FROM name WHERE domain = ?", arguments: [domain])
                try Self.writeNames(database, runme.names, of: domain)
                record.runme = runme.text
                record.revision += 1
            }
            try Self.update(database, record)
            return record
        }
    }

    /// Forgets a site of which nothing is left.
    package func forget(_ domain: String) async throws(Refusal) {
        try await write { database in
            try database.execute(sql: "DELETE FROM site WHERE domain = ?", arguments: [domain])
        }
    }

    private static func record(_ database: Database, _ domain: String) throws -> SiteRecord {
        let row = try Row.fetchOne(database, sql: "SELECT * FROM site WHERE domain = ?", arguments: [domain])
        guard let row else { throw Refusal(.missing, "there is no site \(domain)") }
        return SiteRecord(row)
    }

    private static func update(_ database: Database, _ record: SiteRecord) throws {
        try database.execute(
            sql: "UPDATE site SET folder = ?, wish = ?, revision = ?, runme = ? WHERE domain = ?",
            arguments: [
                record.folder, record.wish.rawValue, record.revision, record.runme, record.domain,
            ])
    }

    private static func checkNames(_ database: Database, _ names: [String], of domain: String) throws {
        for name in names {
            let owner = try String.fetchOne(
                database, sql: "SELECT domain FROM name WHERE name = ?", arguments: [name])
            if let owner, owner != domain {
                throw Refusal(.conflict, "the name \(name) is one of the site \(owner)")
            }
        }
    }

    private static func writeNames(_ database: Database, _ names: [String], of domain: String) throws {
        for name in names {
            try database.execute(sql: "INSERT INTO name VALUES (?, ?)", arguments: [name, domain])
        }
    }

    // MARK: Journal

    /// What was begun and is not over, the oldest first.
    package func operationsUnderWay() async throws(Refusal) -> [Operation] {
        try await read { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM operation WHERE ended IS NULL ORDER BY identifier"
            ).map(Operation.init)
        }
    }

    /// The last entries, the newest first; of one site or of all.
    package func operations(of domain: String?, limit: Int) async throws(Refusal) -> [Operation] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM operation WHERE ?1 IS NULL OR domain = ?1
                    ORDER BY identifier DESC LIMIT ?2
                    """, arguments: [domain, limit]
            ).map(Operation.init)
        }
    }

    /// Notes that operations are over.
    package func end(_ operations: [Operation], failure: String?) async throws(Refusal) {
        guard !operations.isEmpty else { return }
        let identifiers = operations.map(\.identifier)
        try await write { database in
            for identifier in identifiers {
                try database.execute(
                    sql: "UPDATE operation SET ended = ?, failure = ? WHERE identifier = ? AND ended IS NULL",
                    arguments: [Date().timeIntervalSince1970, failure, identifier])
            }
            try database.execute(
                sql: """
                    DELETE FROM operation WHERE ended IS NOT NULL
                    AND identifier <= (SELECT MAX(identifier) FROM operation) - ?
                    """, arguments: [Self.journalMax])
        }
    }

    private static func begin(
        _ database: Database, _ domain: String, _ verb: String, previously wish: Wish?
    ) throws -> Operation {
        let began = Date().timeIntervalSince1970
        try database.execute(
            sql: "INSERT INTO operation (domain, verb, previous_wish, began) VALUES (?, ?, ?, ?)",
            arguments: [domain, verb, wish?.rawValue, began])
        return Operation(
            identifier: database.lastInsertedRowID, domain: domain, verb: verb, previousWish: wish,
            began: began)
    }
}

extension SiteRecord {
    fileprivate init(_ row: Row) {
        self.init(
            domain: row["domain"], folder: row["folder"], network: row["network"],
            wish: Wish(rawValue: row["wish"]) ?? .stopped, revision: row["revision"], runme: row["runme"])
    }
}

extension Operation {
    fileprivate init(_ row: Row) {
        let previous: String? = row["previous_wish"]
        self.init(
            identifier: row["identifier"], domain: row["domain"], verb: row["verb"],
            previousWish: previous.flatMap(Wish.init(rawValue:)), began: row["began"], ended: row["ended"],
            failure: row["failure"])
    }
}
