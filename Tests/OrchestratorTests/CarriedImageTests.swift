import Foundation
import Orchestrator
import Support
import Testing

/// What a peer may send as an image: one, without a name, in the form in which engines write it.
struct CarriedImageTests {
    private static let digest = String(repeating: "d", count: 64)
    private static let inner = String(repeating: "e", count: 64)
    private static let manifest = #"[{"Config":"c.json","RepoTags":null,"Layers":["l/layer.tar"]}]"#
    private static let names = "the image that was sent has names, or is several"
    private static let form = "the image that was sent is not of the form that is taken"

    private static func index(_ annotations: String = "{}", mediaType: String = "image.manifest") -> String {
        """
        {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":\
        "application/vnd.oci.\(mediaType).v1+json","digest":"sha256:\(digest)","size":1,"annotations":\
        \(annotations)}]}
        """
    }

    /// Why it is not taken; nil: it is.
    private func refusal(_ tar: TarBuilder) throws -> String? {
        let folder = try TemporaryFolder()
        try tar.write(to: folder.path("image.tar"))
        return refusal(of: folder.path("image.tar"))
    }

    private func refusal(of path: String) -> String? {
        do throws(Refusal) {
            try CarriedImage.check(path)
            return nil
        } catch {
            return error.text
        }
    }

    private func image(
        manifest: String? = manifest, index: String? = nil, _ more: (inout TarBuilder) -> Void = { _ in }
    ) -> TarBuilder {
        var tar = TarBuilder()
        tar.add("blobs/", type: "5")
        tar.add("blobs/sha256/", type: "5")
        tar.add("blobs/sha256/\(Self.digest)", content: Array("{}".utf8))
        if let index {
            tar.add("oci-layout", content: Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
            tar.add("index.json", content: Array(index.utf8))
        }
        if let manifest { tar.add("manifest.json", content: Array(manifest.utf8)) }
        more(&tar)
        return tar
    }

    @Test func whatEnginesWriteIsTaken() throws {
        #expect(try refusal(image()) == nil)
        #expect(try refusal(image(index: Self.index())) == nil)
        #expect(try refusal(image(index: Self.index(#"{"a":"b"}"#))) == nil)
        // Of several platforms, one that was not sent.
        let elsewhere = Self.index(mediaType: "image.index").replacingOccurrences(
            of: Self.digest, with: Self.inner)
        #expect(try refusal(image(index: elsewhere)) == nil)
        #expect(try refusal(image(index: Self.index(mediaType: "image.index"))) == Self.form)
        let withoutTags = #"[{"Config":"c.json","Layers":[]}]"#
        #expect(try refusal(image(manifest: withoutTags)) == nil)
        var legacy = TarBuilder()
        legacy.addRecords([("mtime", "1.5")])
        legacy.add("1/", type: "5")
        legacy.add("1/layer.tar", content: Array("x".utf8))
        legacy.add("2/", type: "5")
        legacy.add("2/layer.tar", type: "2", target: "../1/layer.tar")
        legacy.addRecords([("size", "\(Self.manifest.utf8.count)"), ("mtime", "1.5")])
        legacy.add("manifest.json", content: Array(Self.manifest.utf8))
        #expect(try refusal(legacy) == nil)
    }

    @Test func aNameInTheManifestIsRefused() throws {
        for manifest in [
            #"[{"Config":"c.json","RepoTags":["victim:1"],"Layers":[]}]"#,
            #"[{"Config":"c.json","RepoTags":"victim:1","Layers":[]}]"#,
            #"[{"Config":"c.json","Layers":[]},{"Config":"d.json","Layers":[]}]"#, "[]",
        ] {
            #expect(try refusal(image(manifest: manifest)) == Self.names, "\(manifest)")
        }
        // Engines take these for RepoTags, the second of the two, and what is before the rest.
        for manifest in [
            #"[{"Config":"c.json","repotags":["victim:1"],"Layers":[]}]"#,
            #"[{"Config":"c.json","RepoTag\#u{17f}":["victim:1"],"Layers":[]}]"#,
            #"[{"Config":"c.json","RepoTags":null,"RepoTags":["victim:1"],"Layers":[]}]"#,
            Self.manifest + "[]", "{}", "", "null",
        ] {
            #expect(try refusal(image(manifest: manifest)) == Self.form, "\(manifest)")
        }
        #expect(try refusal(image(manifest: nil)) == Self.form)
        #expect(try refusal(image { $0.add("repositories", content: Array("{}".utf8)) }) == Self.names)
    }

    @Test func aNameInTheIndexIsRefused() throws {
        for name in ["io.containerd.image.name", "org.opencontainers.image.ref.name"] {
            #expect(try refusal(image(index: Self.index(#"{"\#(name)":"victim:1"}"#))) == Self.names)
        }
        let escaped = #"{"io.containerd.image.nam\u0065":"victim:1"}"#
        #expect(try refusal(image(index: Self.index(escaped))) == Self.names)
        let descriptor = Self.index().split(separator: "[")[1].split(separator: "]")[0]
        for (index, words) in [
            (#"{"manifests":[\#(descriptor),\#(descriptor)]}"#, Self.names),
            (#"{"manifests":[]}"#, Self.names), (#"{"Manifests":[\#(descriptor)]}"#, Self.form),
            (#"{"manifests":[],"manifests":[\#(descriptor)]}"#, Self.form),
            (#"{"manifests":[{"digest":"x","Annotations":{}}]}"#, Self.form), ("[]", Self.form),
            (Self.index() + " {}", Self.form),
        ] {
            #expect(try refusal(image(index: index)) == words, "\(index)")
        }
    }

    @Test func aNameInAnIndexWithinTheIndexIsRefused() throws {
        for (annotations, words) in [
            ("{}", nil), (#"{"org.opencontainers.image.ref.name":"1"}"#, Self.names),
        ] {
            var tar = TarBuilder()
            let inner = Self.index(annotations).replacingOccurrences(of: Self.digest, with: Self.inner)
            tar.add("blobs/sha256/\(Self.digest)", content: Array(inner.utf8))
            tar.add("index.json", content: Array(Self.index(mediaType: "image.index").utf8))
            tar.add("manifest.json", content: Array(Self.manifest.utf8))
            #expect(try refusal(tar) == words)
        }
        // An index that names itself.
        var tar = TarBuilder()
        tar.add(
            "blobs/sha256/\(Self.digest)", content: Array(Self.index(mediaType: "image.index").utf8))
        tar.add("index.json", content: Array(Self.index(mediaType: "image.index").utf8))
        tar.add("manifest.json", content: Array(Self.manifest.utf8))
        #expect(try refusal(tar) == Self.form)
    }

    /// An engine may take the other one of two, by whatever way it came to its place.
    @Test func nothingIsThereTwice() throws {
        let named = Array(#"[{"Config":"c.json","RepoTags":["victim:1"],"Layers":[]}]"#.utf8)
        for add: (inout TarBuilder) -> Void in [
            { $0.add("manifest.json", content: named) }, { $0.add("./manifest.json", content: named) },
            { $0.add("x/../manifest.json", content: named) }, { $0.add("/manifest.json", content: named) },
            { $0.add("manifest.json/", content: named) }, { $0.add("blobs", type: "2", target: ".") },
            // Docker 20.10 goes through the link.
            {
                $0.add("a", type: "2", target: ".")
                $0.add("a/manifest.json", content: named)
            },
            {
                $0.add("a/manifest.json", content: named)
                $0.add("a", type: "2", target: ".")
            },
            { $0.add("b", type: "1", target: "manifest.json") },
            {
                $0.addRecords([("path", "manifest.json")])
                $0.add("b", content: named)
            },
            {
                $0.add("././@LongLink", type: "L", content: Array("manifest.json\u{0}".utf8))
                $0.add("b", content: named)
            },
            { $0.addRecords([("GNU.sparse.name", "manifest.json")]) },
            { $0.addRecords([("mtime", "1")], type: "g") },
        ] {
            #expect(try refusal(image(add)) == Self.form)
        }
    }

    /// What one reader takes for a header is content for another.
    @Test func aStrangeHeaderIsRefused() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("image.tar")
        let good = image().bytes + [UInt8](repeating: 0, count: 1024)
        func change(_ body: (inout [UInt8]) -> Void) throws -> String? {
            var bytes = good
            body(&bytes)
            bytes.replaceSubrange(148..<156, with: [UInt8](repeating: 32, count: 8))
            let sum = String(bytes[0..<512].reduce(0) { $0 + Int($1) }, radix: 8)
            bytes.replaceSubrange(
                148..<156,
                with: Array((String(repeating: "0", count: 6 - sum.count) + sum + "\u{0} ").utf8))
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            return refusal(of: path)
        }
        #expect(try change { _ in } == nil)
        // The first part of a name; another version, in which there is none; no format at all.
        #expect(try change { $0[345] = UInt8(ascii: "a") } == Self.form)
        #expect(try change { $0[264] = UInt8(ascii: "9") } == Self.form)
        #expect(
            try change { $0.replaceSubrange(257..<265, with: [UInt8](repeating: 0, count: 8)) } == Self.form)
        // Sizes that are read in two ways; one of a folder; the magic bytes of gzip.
        #expect(try change { $0[124] = 0 } == Self.form)
        #expect(try change { $0[124] = UInt8(ascii: "+") } == Self.form)
        #expect(try change { $0[134] = UInt8(ascii: "1") } == Self.form)
        #expect(try change { $0.replaceSubrange(0..<3, with: [0x1f, 0x8b, 8]) } == Self.form)
        for count in [0, 100, 512, 1000, good.count - 1024] {
            try Data(good[..<count]).write(to: URL(fileURLWithPath: path))
            #expect(refusal(of: path) == Self.form, "\(count) bytes")
        }
        #expect(refusal(of: folder.path("none"))?.hasSuffix("cannot be read") == true)
    }
}
