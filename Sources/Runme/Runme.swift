/// The manifest of a site, which lies with its data and says how to start it (`runme` in the site's folder).
///
/// Paths are relative to that folder and stay inside it: who copies the folder has the site.
package struct Runme: Equatable, Sendable {
    /// The version of the format that this reads.
    package static let format = 1
    /// What the first line is, so that `./runme` starts the site.
    package static let firstLine = "#!/usr/bin/env -S yard run"

    /// The site's name, lower case, in the form that stands in SNI.
    package var domain: String
    /// Further names that lead to it, in the same form.
    package var aliases: [String] = []
    /// The product that it is an instance of.
    package var product: String?
    /// The product's version.
    package var version: String?
    /// How it is started.
    package var start: Start
    /// What makes the data on disk consistent: before a backup, sleep and export.
    package var snapshot: Snapshot?
    /// When it counts as started.
    package var ready = Ready()
    /// Put to sleep after so many milliseconds without a connection or a byte; nil: never.
    package var sleepAfterMilliseconds: UInt32?
    /// Its certificate, with the key.
    package var certificatePath: String?
    /// Where copies of its data go.
    package var backup: Backup?
    /// Who gets its mail.
    package var mailForward: String?

    /// A site that is started in some way, with the rest as when nothing is said.
    package init(domain: String, start: Start) {
        self.domain = domain
        self.start = start
    }
}

extension Runme {
    /// The three ways to start a site.
    package enum Start: Equatable, Sendable {
        case docker(Docker)
        case vagrant(Vagrant)
        case command(Command)
    }

    /// Where a site answers.
    package struct Ports: Equatable, Sendable {
        /// TLS, for its names. A site without one cannot be served (yet): the edge has no keys.
        package var tls: UInt16
        /// Plain HTTP, for the challenges of certificate authorities.
        package var http: UInt16?
        /// What the TLS port wants in front of each connection to know the client's address; nil: nothing.
        package var proxy: ProxyHeader?

        package init(tls: UInt16, http: UInt16? = nil, proxy: ProxyHeader? = nil) {
            self.tls = tls
            self.http = http
            self.proxy = proxy
        }
    }

    /// The versions of the PROXY protocol.
    package enum ProxyHeader: String, CaseIterable, Sendable { case v1, v2 }

    /// A container, and what it is made of.
    package struct Container: Equatable, Sendable {
        /// Where its image comes from.
        package enum Image: Equatable, Sendable {
            /// A name with a tag, or a digest.
            case named(String)
            /// A file that `docker save` has written.
            case archive(path: String)
        }

        /// Where its image comes from.
        package var image: Image
        /// By the name of the folder that holds it: where it is mounted.
        package var volumes: [String: String] = [:]
        /// A file with lines `NAME=value`.
        package var environmentPath: String?
        /// The most memory that it may have; nil: what there is.
        package var memoryBytes: UInt64?

        package init(image: Image) { self.image = image }
    }

    /// A container that serves the site, and others that it needs, on a network of their own.
    package struct Docker: Equatable, Sendable {
        package var container: Container
        package var ports: Ports
        /// By the name under which the others find it.
        package var sidecars: [String: Container] = [:]

        package init(container: Container, ports: Ports) {
            self.container = container
            self.ports = ports
        }
    }

    /// A virtual machine that `vagrant up` starts.
    package struct Vagrant: Equatable, Sendable {
        /// The folder of the Vagrantfile.
        package var directory: String
        /// Where the machine answers.
        package var address: String
        package var ports: Ports

        package init(directory: String, address: String, ports: Ports) {
            self.directory = directory
            self.address = address
            self.ports = ports
        }
    }

    /// A program that runs in the foreground.
    package struct Command: Equatable, Sendable {
        package var arguments: [String]
        package var ports: Ports

        package init(arguments: [String], ports: Ports) {
            self.arguments = arguments
            self.ports = ports
        }
    }

    /// A program that is run in a container, or for the other kinds in the site's folder.
    package struct Snapshot: Equatable, Sendable {
        package var arguments: [String]
        /// The sidecar that it runs in; nil: the container that serves.
        package var sidecar: String?

        package init(arguments: [String], sidecar: String? = nil) {
            self.arguments = arguments
            self.sidecar = sidecar
        }
    }

    /// How it is found out that a site serves.
    package struct Ready: Equatable, Sendable {
        package enum Check: String, CaseIterable, Sendable {
            /// A TLS handshake for the site's name is answered.
            case hello
            /// The port takes connections.
            case tcp
        }

        /// What is looked at.
        package var check = Check.hello
        /// For so long at most.
        package var withinMilliseconds: UInt32 = 60_000

        package init() {}
    }

    /// Copies of the data, kept elsewhere.
    package struct Backup: Equatable, Sendable {
        package var everyMilliseconds: UInt32
        /// git remotes.
        package var remotes: [String]

        package init(everyMilliseconds: UInt32, remotes: [String]) {
            self.everyMilliseconds = everyMilliseconds
            self.remotes = remotes
        }
    }
}
