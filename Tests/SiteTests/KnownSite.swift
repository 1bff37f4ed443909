import Foundation
import Support

/// An application with a database, and an archive of it as hosters of 2014 exchanged them. Both images are
/// made here: a server of MariaDB that keeps to what the official images promise, and a program that reads
/// from it.
enum KnownSite {
    static let domain = "known.example"

    private static let roots = Result {
        (
            application: try ImageRoot.make(
                "python_root.sh", [Repository.path("Tests/Programs/known_site.py"), "pymysql"]),
            database: try ImageRoot.make("database_root.sh")
        )
    }

    /// Gives a hoster's engine both images.
    static func importImages(at hoster: MovingHoster) throws {
        let roots = try roots.get()
        try hoster.importImage("known:1", of: roots.application, command: ["/usr/bin/python3", "/site.py"])
        try hoster.importImage("mariadb:1", of: roots.database, command: ["/entrypoint.sh"])
    }

    /// Writes the folder of an archive, with a dump as a careful person leaves it: nobody else may read it.
    static func writeArchive(in folder: TemporaryFolder) throws -> String {
        try folder.write(
            "old/indiehosters.json",
            """
            {
              "format": "https://indiehosters.net/spec/0.3", "application": "known", "version": "0.6.5",
              "database": { "engine": "mysql", "name": "known", "file": "dump.sql" },
              "uploads": "uploads/", "plugins": "plugins/", "exported-by": "somebody"
            }
            """)
        let dump = try folder.write(
            "old/dump.sql",
            """
            /*!40101 SET NAMES utf8mb4 */;
            CREATE TABLE posts (number INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(200)) CHARSET=utf8mb4;
            INSERT INTO posts (text) VALUES ('the first post'), ('grüße');

            """)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: dump)
        try folder.write("old/uploads/2014/photo", "a picture\n")
        try folder.write("old/plugins/Extra/Main.php", "<?php\n")
        try folder.write("old/TLS/\(domain).pem", try certificate(for: domain))
        return folder.path("old")
    }

    /// A certificate and its key.
    static func certificate(for domain: String) throws -> String {
        let own = try TemporaryFolder()
        let certificate = try TestCertificate(for: domain, in: own)
        let key = TextFile.read(certificate.keyPath) ?? ""
        return own.read("\(domain).pem") + key
    }

    /// What an operator types to take it in, and to start it.
    static func bring(
        _ archive: String, to hoster: MovingHoster
    ) throws -> (
        imported: Finished, started: Finished
    ) {
        let imported = try hoster.yard(
            "site", "import", archive, "--domain", domain, "--image", "known:1", "--uploads", "/srv/uploads",
            "--plugins", "/srv/plugins", "--database-image", "mariadb:1", "--owner", "33:33",
            "--variable", "DB_HOST=@database-host", "--variable", "DB_NAME=@database-name",
            "--variable", "DB_USER=@database-user", "--variable", "DB_PASSWORD=@database-password")
        return (imported, try hoster.yard("site", "add", domain, "--start"))
    }

    /// A dump of the database as it is now.
    static func dump(at hoster: MovingHoster) throws -> Finished {
        try hoster.docker(
            "exec", "switchyard-\(domain)-db", "sh", "-c",
            #"exec mariadb-dump --user="$MYSQL_USER" --password="$MYSQL_PASSWORD" "$MYSQL_DATABASE""#)
    }
}
