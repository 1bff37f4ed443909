import Foundation
import Routes
import Runme

/// What `indiehosters.json` says: the IndieHosters migration format, version 0.3, of December 2014.
///
/// Its text ("IndieHosters migration format", in the repository that is now libresh/libre.sh) asks for
/// `format` (the specification's address) and `application`, and describes one application, Known: with
/// `version`, `database` (`engine`: `mysql` or `mongodb`, `name`, `file`), `uploads` and `plugins`. WordPress
/// was "to be determined" and never was. So every application but `static` is read as Known is. Other fields
/// may be there ("at least the following"), and mean nothing to us.
package struct MigrationDescription: Equatable, Sendable {
    /// The file's name, in the root of the archive.
    package static let fileName = "indiehosters.json"
    /// What `format` says.
    package static let format = "https://indiehosters.net/spec/0.3"
    /// The application that is nothing but files.
    package static let staticApplication = "static"

    /// The name of what the rest of the archive belongs to.
    package var application: String
    /// What applications with a database have; nil for `static`.
    package var data: ApplicationData?

    package init(application: String, data: ApplicationData?) {
        self.application = application
        self.data = data
    }

    /// What an application with a database has. Paths are from the root of the archive.
    package struct ApplicationData: Equatable, Sendable {
        package var version: String
        package var engine: DatabaseEngine
        /// The database's name in the dump.
        package var databaseName: String
        /// The dump.
        package var databaseFile: TreePath
        /// A folder: what users have put there.
        package var uploads: TreePath
        /// A folder: what does not come with the application.
        package var plugins: TreePath

        package init(
            version: String, engine: DatabaseEngine, databaseName: String, databaseFile: TreePath,
            uploads: TreePath, plugins: TreePath
        ) {
            self.version = version
            self.engine = engine
            self.databaseName = databaseName
            self.databaseFile = databaseFile
            self.uploads = uploads
            self.plugins = plugins
        }
    }

    /// The file's text.
    package var text: String {
        var fields: [(String, String)] = [("format", json(Self.format)), ("application", json(application))]
        if let data {
            let database = [
                ("engine", json(data.engine.rawValue)), ("name", json(data.databaseName)),
                ("file", json(text(of: data.databaseFile))),
            ]
            fields += [
                ("version", json(data.version)),
                (
                    "database",
                    "{ \(database.map { "\(json($0.0)): \($0.1)" }.joined(separator: ", ")) }"
                ),
                ("uploads", json(text(of: data.uploads) + "/")),
                ("plugins", json(text(of: data.plugins) + "/")),
            ]
        }
        return "{\n" + fields.map { "  \(json($0.0)): \($0.1)" }.joined(separator: ",\n") + "\n}\n"
    }

    private func text(of path: TreePath) -> String { String(decoding: path.bytes, as: UTF8.self) }

    private func json(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }

    /// Reads the file's text; the first mistake is told, with its place.
    package static func parse(_ bytes: [UInt8]) throws(ArchiveRefusal) -> MigrationDescription {
        guard (try? JSONSerialization.jsonObject(with: Data(bytes))) != nil else {
            throw ArchiveRefusal(.invalid, "\(fileName) is not JSON")
        }
        // JSON is YAML, and this reader tells where a mistake is.
        var parser = DescriptionParser(reader: ManifestReader(SourceFile(path: fileName, bytes: bytes)))
        if let description = parser.parse(), parser.reader.diagnostics.errorCount == 0 { return description }
        let first = parser.reader.diagnostics.kept.first { $0.severity == .error }
        throw ArchiveRefusal(
            .invalid, first.map { "\($0.path):\($0.line):\($0.column): \($0.message)" } ?? "a bad description"
        )
    }
}

/// The databases whose images load a dump at their first start.
package enum DatabaseEngine: String, CaseIterable, Sendable {
    case mysql, mariadb, postgres

    /// Where the image keeps the data.
    package var dataPath: String {
        switch self {
        case .mysql, .mariadb: "/var/lib/mysql"
        case .postgres: "/var/lib/postgresql/data"
        }
    }

    /// The variable that names the database that is made at the first start, and into which a dump goes.
    var nameVariable: String {
        switch self {
        case .mysql: "MYSQL_DATABASE"
        case .mariadb: "MARIADB_DATABASE"
        case .postgres: "POSTGRES_DB"
        }
    }

    /// What the image is told by: lines `NAME=value`.
    func environment(name: String, user: String, password: String) -> [String] {
        switch self {
        case .mysql, .mariadb:
            let prefix = self == .mysql ? "MYSQL" : "MARIADB"
            return [
                "\(nameVariable)=\(name)", "\(prefix)_USER=\(user)", "\(prefix)_PASSWORD=\(password)",
                "\(prefix)_RANDOM_ROOT_PASSWORD=yes",
            ]
        case .postgres:
            // Since 18 the image has its data elsewhere if nothing is said, and does not start with a volume
            // at the old place.
            return [
                "\(nameVariable)=\(name)", "POSTGRES_USER=\(user)", "POSTGRES_PASSWORD=\(password)",
                "PGDATA=\(dataPath)",
            ]
        }
    }
}

/// The fields of the description.
private struct DescriptionParser {
    var reader: ManifestReader

    mutating func parse() -> MigrationDescription? {
        guard var fields = reader.document(what: MigrationDescription.fileName) else { return nil }
        parseFormat(&fields)
        guard let application = word("application", &fields) else { return nil }
        if application == MigrationDescription.staticApplication {
            return MigrationDescription(application: application, data: nil)
        }
        let version = text("version", "version", &fields)
        var engine: DatabaseEngine?
        var name: String?
        var file: TreePath?
        if let node = fields.require("database", &reader), var database = reader.fields(node, of: "database")
        {
            engine = parseEngine(&database)
            name = word("name", &database, of: "database.name")
            file = path("file", "database.file", &database)
        }
        let uploads = path("uploads", "uploads", &fields)
        let plugins = path("plugins", "plugins", &fields)
        guard let version, let engine, let name, let file, let uploads, let plugins else { return nil }
        return MigrationDescription(
            application: application,
            data: MigrationDescription.ApplicationData(
                version: version, engine: engine, databaseName: name, databaseFile: file, uploads: uploads,
                plugins: plugins))
    }

    private mutating func parseFormat(_ fields: inout Fields) {
        guard let node = fields.require("format", &reader), let text = reader.text(node, of: "format") else {
            return
        }
        // "Probably", the text says of the address; so others may have written it a little otherwise.
        var address = text[...]
        if address.hasPrefix("http://") { address = "https://" + address.dropFirst(7) }
        if address.hasSuffix("/") { address.removeLast() }
        if address != MigrationDescription.format {
            reader.error(
                node.place, "format `\(text)` is not known; this reads \(MigrationDescription.format)")
        }
    }

    private mutating func parseEngine(_ fields: inout Fields) -> DatabaseEngine? {
        guard let node = fields.require("engine", &reader),
            let text = reader.text(node, of: "database.engine")
        else { return nil }
        if let engine = DatabaseEngine(rawValue: text == "postgresql" ? "postgres" : text) { return engine }
        let known = DatabaseEngine.allCases.map(\.rawValue).joined(separator: ", ")
        reader.error(node.place, "database.engine `\(text)` is none that loads a dump by itself (\(known))")
        return nil
    }

    private mutating func text(_ key: String, _ what: String, _ fields: inout Fields) -> String? {
        fields.require(key, &reader).flatMap { reader.text($0, of: what) }
    }

    /// A text that can stand in a variable or be the name of a product.
    private mutating func word(_ key: String, _ fields: inout Fields, of what: String? = nil) -> String? {
        guard let node = fields.require(key, &reader), let text = reader.text(node, of: what ?? key) else {
            return nil
        }
        let letters = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.".utf8)
        guard text.utf8.count <= 64, text.utf8.allSatisfy(letters.contains) else {
            reader.error(
                node.place, "\(what ?? key) has up to 64 letters, digits, hyphens, dots and underlines")
            return nil
        }
        return text
    }

    private mutating func path(_ key: String, _ what: String, _ fields: inout Fields) -> TreePath? {
        guard let node = fields.require(key, &reader), let text = reader.text(node, of: what) else {
            return nil
        }
        var plain = text[...]
        if plain.hasPrefix("./") { plain = plain.dropFirst(2) }
        if plain.hasSuffix("/") { plain.removeLast() }
        guard let path = TreePath(String(plain)) else {
            reader.error(node.place, "\(what) leads out of the archive, or is not a plain path")
            return nil
        }
        return path
    }
}
