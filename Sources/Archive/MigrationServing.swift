package import Runme

/// What a migration archive does not say and whoever imports it has to decide: with what its files are
/// served.
package enum MigrationServing: Sendable {
    /// For `static`.
    case files(Files)
    /// For an application with a database.
    case application(Application)

    /// A web server, and where it looks for files.
    package struct Files: Sendable {
        /// It has to offer TLS: the edge has no keys.
        package var image: Runme.Container.Image
        package var ports: Runme.Ports
        /// Where the files are mounted.
        package var contentPath: String
        package var owner = Owner()

        package init(image: Runme.Container.Image, ports: Runme.Ports, contentPath: String) {
            self.image = image
            self.ports = ports
            self.contentPath = contentPath
        }
    }

    /// An application's image, a database's, and what they tell each other.
    package struct Application: Sendable {
        /// It has to offer TLS.
        package var image: Runme.Container.Image
        package var ports: Runme.Ports
        /// Where the uploads are mounted.
        package var uploadsPath: String
        /// Where the plugins are mounted. The folder hides what the image has there.
        package var pluginsPath: String
        /// Of the engine that the archive names; it loads what is in `/docker-entrypoint-initdb.d` when it
        /// has no data yet, as the official ones of MySQL, MariaDB and PostgreSQL do.
        package var databaseImage: Runme.Container.Image
        /// What the application is told, by the names of its variables.
        package var variables: [String: Variable] = [:]
        /// Of the database's user: made by the caller, and used in this site only.
        package var password: String
        /// Whom the uploads and plugins belong to, which an archive of another hoster does not know.
        package var owner = Owner()

        package init(
            image: Runme.Container.Image, ports: Runme.Ports, uploadsPath: String, pluginsPath: String,
            databaseImage: Runme.Container.Image, password: String
        ) {
            self.image = image
            self.ports = ports
            self.uploadsPath = uploadsPath
            self.pluginsPath = pluginsPath
            self.databaseImage = databaseImage
            self.password = password
        }
    }

    /// What a variable of the application is set to.
    package enum Variable: Equatable, Sendable {
        /// Of the database: the host's name, its own, its user's, and the password.
        case databaseHost, databaseName, databaseUser, databasePassword
        /// A text of the product.
        case text(String)
    }

    /// By number.
    package struct Owner: Equatable, Sendable {
        package var user: UInt32
        package var group: UInt32

        package init(user: UInt32 = 0, group: UInt32 = 0) {
            self.user = user
            self.group = group
        }
    }
}

/// How a site that was imported is laid out, and what an export finds again.
enum MigrationLayout {
    /// The volume with the files of a `static` site.
    static let content = "www"
    static let uploads = "uploads"
    static let plugins = "plugins"
    /// The sidecar, which is also its host's name.
    static let databasePart = "db"
    /// The sidecar's data.
    static let database = "database"
    /// What the sidecar loads at its first start. Its image does that as a user whom this host does not know,
    /// so everybody may read it.
    static let dump = "dump"
    static let dumpPath = "/docker-entrypoint-initdb.d"
    /// Of what is in that folder, the images load these.
    static let dumpSuffixes = [".sql", ".sql.gz"]
    static let environment = "env"
    static let databaseEnvironment = "database.env"
    static let databaseUser = "site"

    /// Where the archive has the files of a `static` site: version 0.3 does not say; this is what 0.2.2 says,
    /// the last one that does. An archive without that folder is read by the general sentence of 0.3, that
    /// the "rest of the folder contents" belongs to the application.
    static let archivedContent = TreePath("static/www-content")!
    /// Where the archive has the certificate with its key: 0.2.2 says so; 0.3 sends it apart.
    static let archivedCertificates = TreePath("TLS")!

    static func archivedCertificate(_ domain: String) -> TreePath {
        archivedCertificates.appending(Array("\(domain).pem".utf8))
    }

    /// The runme of a site that is nothing but files.
    static func runme(_ domain: String, _ serving: MigrationServing.Files) -> Runme {
        var container = Runme.Container(image: serving.image)
        container.volumes = [content: serving.contentPath]
        var runme = Runme(
            domain: domain, start: .docker(Runme.Docker(container: container, ports: serving.ports)))
        runme.product = MigrationDescription.staticApplication
        return runme
    }

    /// The runme of an application with a database.
    static func runme(
        _ domain: String, _ application: String, _ data: MigrationDescription.ApplicationData,
        _ serving: MigrationServing.Application
    ) -> Runme {
        var container = Runme.Container(image: serving.image)
        container.volumes = [uploads: serving.uploadsPath, plugins: serving.pluginsPath]
        container.environmentPath = environment
        var sidecar = Runme.Container(image: serving.databaseImage)
        sidecar.volumes = [database: data.engine.dataPath, dump: dumpPath]
        sidecar.environmentPath = databaseEnvironment
        var docker = Runme.Docker(container: container, ports: serving.ports)
        docker.sidecars = [databasePart: sidecar]
        var runme = Runme(domain: domain, start: .docker(docker))
        runme.product = application
        runme.version = data.version
        return runme
    }

    /// The lines of the application's env file.
    static func environmentLines(
        _ data: MigrationDescription.ApplicationData, _ serving: MigrationServing.Application
    ) -> [String] {
        serving.variables.sorted { $0.key < $1.key }.map { name, variable in
            switch variable {
            case .databaseHost: "\(name)=\(databasePart)"
            case .databaseName: "\(name)=\(data.databaseName)"
            case .databaseUser: "\(name)=\(databaseUser)"
            case .databasePassword: "\(name)=\(serving.password)"
            case .text(let text): "\(name)=\(text)"
            }
        }
    }
}
