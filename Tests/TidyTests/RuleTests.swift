import Testing

private func source(_ path: String, _ text: String) -> SwiftSource {
    SwiftSource(path: path, text: text)
}

/// The lines that a rule finds, so that a test is one line.
private func lines(_ findings: [Finding]) -> [Int] {
    findings.map(\.line)
}

@Suite struct SwiftSourceTests {
    @Test func commentsAndStringsAreNoCode() {
        let parsed = source(
            "a.swift",
            """
            let a = "unsafe" // unsafe too
            /* one /* two */ still
            comment */ let b = 1
            let c = #"a "quoted" \\(no)"# + "\\(d)" + "\\""
            """)
        #expect(parsed.lines.map(\.code) == [#"let a = "" "#, "", " let b = 1", #"let c = "" + "(d)" + """#])
        #expect(parsed.lines[0].comment == "// unsafe too")
        #expect(parsed.lines[1].comment == "/* one /* two */ still")
        #expect(parsed.lines[2].comment == "comment */")
    }

    @Test func stringsOverSeveralLinesKeepTheLineNumbers() {
        let parsed = source("a.swift", "let a = \"\"\"\n  print(1) \"\" \\\n  \"\"\"\nlet b = 2\n")
        #expect(parsed.lines.map(\.code) == ["let a = \"", "", "\"", "let b = 2"])
    }

    @Test func codeInsideAnInterpolationIsCode() {
        let parsed = source("a.swift", #"let a = "x \(f("inner", (1 + 2)) as! Int) y""#)
        #expect(parsed.lines[0].code == #"let a = "(f("", (1 + 2)) as! Int)""#)
    }

    @Test func scopesOfFunctionsTypesAndPropertiesAreFound() {
        let parsed = source(
            "a.swift",
            """
            protocol P {
                func withoutBody()
                var x: Int { get }
            }
            struct S {
                var stored = [1].map { $0 }
                var computed: Int {
                    1
                }
                init(
                    a: () -> Int = { 1 }
                ) {
                    if a() == 1 {
                        self.init()
                    }
                }
            }
            """)
        #expect(
            parsed.scopes == [
                SwiftScope(kind: .property, firstLine: 3, lastLine: 3),
                SwiftScope(kind: .type, firstLine: 1, lastLine: 4),
                SwiftScope(kind: .property, firstLine: 7, lastLine: 9),
                SwiftScope(kind: .function, firstLine: 10, lastLine: 16),
                SwiftScope(kind: .type, firstLine: 5, lastLine: 17),
            ])
    }
}

@Suite struct ImportRuleTests {
    @Test func wireImportsNothing() {
        let text = "import Glibc\npackage import Foundation\n@preconcurrency import struct A.B\n// import C\n"
        #expect(lines(ImportRule().check(source("Sources/Wire/a.swift", text))) == [1, 2, 3])
    }

    @Test func theDeepestFolderDecides() {
        let text = "import Wire\nimport Linux\n"
        #expect(lines(ImportRule().check(source("Sources/DataPlane/Worker.swift", text))) == [])
        #expect(lines(ImportRule().check(source("Sources/DataPlane/Session/Session.swift", text))) == [2])
    }

    @Test func aFolderWithoutARuleIsFound() {
        #expect(ImportRule().check(source("Sources/New/a.swift", "")).count == 1)
    }

    @Test func testsImportWhatTheyLike() {
        #expect(ImportRule().check(source("Tests/WireTests/a.swift", "import Foundation")) == [])
    }

    @Test func theSimulationTakesTheSystemsNamesFromCLinux() {
        let text = "import CLinux\nimport Glibc\nimport Foundation\n"
        #expect(lines(ImportRule().check(source("Tests/SimulationTests/a.swift", text))) == [2, 3])
    }
}

@Suite struct WordRuleTests {
    @Test(arguments: [
        "print(1)", "fatalError()", "try! f()", "let a = b as! C", "preconditionFailure( )",
        "@inline(__always) func f() {}", "// FIXME: later", "final class A: @unchecked Sendable {}",
    ])
    func bannedWordsAreFound(_ line: String) {
        #expect(lines(WordRule().check(source("Sources/Wire/a.swift", "\n" + line))) == [2])
    }

    @Test(arguments: [
        "self.print(1)", "func print(_ a: Int)", #"fatalError("the slab is full")"#, "try? f()", "a as? B",
        #"let text = "print(1) as! FIXME""#, "// print(1)", "// SAFETY: one\nclass A: @unchecked Sendable {}",
        "blueprint(1)",
    ])
    func harmlessWordsAreNot(_ line: String) {
        #expect(WordRule().check(source("Sources/Wire/a.swift", line)) == [])
    }
}

@Suite struct UnsafeRuleTests {
    private let far = String(repeating: "let a = 1\n", count: 12)

    @Test func unsafeOutsideItsFoldersIsFoundEvenWithAReason() {
        let text = "// SAFETY: none\nlet a = unsafe b\n"
        #expect(lines(UnsafeRule().check(source("Sources/Routes/a.swift", text))) == [2])
        #expect(lines(UnsafeRule().check(source("Sources/DataPlane/Worker.swift", text))) == [2])
        #expect(UnsafeRule().check(source("Tests/WireTests/a.swift", text)) == [])
    }

    @Test func unsafeInItsFolderNeedsAReasonNearby() {
        let path = "Sources/DataPlane/Memory/a.swift"
        #expect(UnsafeRule().check(source(path, "// SAFETY: b is ours\nlet a = unsafe b\n")) == [])
        #expect(UnsafeRule().check(source(path, "let a = unsafe b // SAFETY: b is ours\n")) == [])
        #expect(
            lines(UnsafeRule().check(source(path, "// SAFETY: b is ours\n" + far + "let a = unsafe b\n")))
                == [14])
        #expect(UnsafeRule().check(source(path, "let unsafePointer = \"unsafe\" // unsafe\n")) == [])
    }

    @Test func aReasonAboveTheFunctionOrTheTypeCounts() {
        let path = "Sources/Linux/a.swift"
        let type =
            "/// A.\n/// SAFETY: the pointer is ours.\n@frozen\nstruct A {\n\(far)let a = unsafe b\n}\n"
        #expect(UnsafeRule().check(source(path, type)) == [])
        let function =
            "struct A {\n// SAFETY: ours.\nfunc f() {\n\(far)unsafe b()\n}\nfunc g() { unsafe b() }\n}\n"
        #expect(UnsafeRule().check(source(path, function)).count == 0 + 1)
    }
}

@Suite struct SizeRuleTests {
    private func function(lines: Int) -> String {
        "func f() {\n" + String(repeating: "    a()\n", count: lines - 2) + "}\n"
    }

    @Test func aFunctionMayHaveSeventyLines() {
        #expect(SizeRule().check(source("a.swift", function(lines: 70))) == [])
        #expect(lines(SizeRule().check(source("a.swift", "\n" + function(lines: 71)))) == [2])
    }

    @Test func aFileMayHaveFiveHundredLines() {
        let line = "let a = 1\n"
        #expect(SizeRule().check(source("a.swift", String(repeating: line, count: 500))) == [])
        #expect(SizeRule().check(source("a.swift", String(repeating: line, count: 501))).count == 1)
    }

    @Test(arguments: [("a.swift", 110), ("a.c", 140), ("scripts/a", 140)])
    func aLineMayHaveSoManyColumns(_ path: String, _ most: Int) {
        let good = String(repeating: "ä", count: most)
        #expect(SizeRule().checkColumns(path: path, text: good + "\n") == [])
        #expect(lines(SizeRule().checkColumns(path: path, text: "\n" + good + "a\n")) == [2])
    }
}

@Suite struct DocumentationRuleTests {
    @Test func aPackageDeclarationNeedsADocComment() {
        let text = "package func a() {}\n\npackage static let b = 1\n\n// no doc\npackage struct C {}\n"
        #expect(lines(DocumentationRule().check(source("Sources/Wire/a.swift", text))) == [1, 3, 6])
    }

    @Test func theWitnessOfADocumentedRequirementNeedsNone() {
        let requirement = source(
            "Sources/Wire/P.swift", "package protocol P {\n/// Doc.\nmutating func a()\n}\n")
        let witness = source("Sources/Wire/a.swift", "package func a() {}\n\npackage func b() {}\n")
        #expect(lines(DocumentationRule(protocolsIn: [requirement]).check(witness)) == [3])
    }

    @Test(arguments: [
        "/// Doc.\npackage func a() {}", "/// Doc.\n@inlinable\npackage func a() {}", "func a() {}",
        "/// Both.\npackage let a = 1\npackage let b = 2", "package import Wire", "package init() {}",
        "/// D.\n@a package struct B {}", "package var description: String { \"\" }",
        "package static func == (a: A, b: A) -> Bool",
    ])
    func documentedAndInnerDeclarationsAreFine(_ text: String) {
        #expect(DocumentationRule().check(source("Sources/Wire/a.swift", text)) == [])
    }
}

@Suite struct TextRuleTests {
    @Test func pathsOfOneMachineAreFound() {
        let bad = "see /" + "work/a\nfile:///" + "root/.profile\n`/" + "tmp/bash_1`\n"
        #expect(lines(TextRule().checkMachinePaths(path: "a.md", text: bad)) == [1, 2, 3])
        let good = "example.org/" + "work/a and .root/" + "root/x\n"
        #expect(TextRule().checkMachinePaths(path: "a.md", text: good) == [])
    }

    @Test func blanksAndMissingLineBreaksAreFound() {
        #expect(lines(TextRule().checkBlanksAtEnd(path: "a", text: "a \nb\nc\t\n")) == [1, 3])
        #expect(lines(TextRule().checkBlanksAtEnd(path: "a", text: "a")) == [0])
        #expect(TextRule().checkBlanksAtEnd(path: "a", text: "a\n\n") == [])
    }

    @Test func markdownHasOneTitleAndItComesFirst() {
        let rule = TextRule()
        #expect(rule.checkMarkdownTitle(path: "a.md", text: "# A\n\n## B\n```\n# no title\n```\n") == [])
        #expect(rule.checkMarkdownTitle(path: "a.md", text: "## B\n").count == 1)
        #expect(lines(rule.checkMarkdownTitle(path: "a.md", text: "# A\n# B\n")) == [2])
        #expect(lines(rule.checkMarkdownTitle(path: "a.md", text: "text\n# A\n")) == [2])
    }
}

@Suite struct LayoutRuleTests {
    private let manifest = ".target(name: \"Wire\"), .target(name: \"X\", path: \"Tests/Folder\")"
    private let required = [
        ".ci/run", ".gitignore", ".swift-format", "CHANGELOG.md", "LICENSE", "Makefile", "Package.swift",
        "README.md",
    ]

    @Test func filesOfATargetAreFine() {
        let paths = required + ["Sources/Wire/a.swift", "Tests/Folder/b.swift"]
        #expect(LayoutRule().check(paths: paths, manifest: manifest) == [])
    }

    @Test func orphansAndMissingFilesAreFound() {
        let paths = required.dropLast() + ["Sources/Dead/a.swift", "a.swift"]
        let found = LayoutRule().check(paths: Array(paths), manifest: manifest).map(\.path)
        #expect(found == ["README.md", "Sources/Dead/a.swift", "a.swift"])
    }
}
