import Testing

/// The rules of the house, applied to the whole tree.
@Suite struct SourceTreeTests {
    private let tree: SourceTree

    init() throws {
        tree = try SourceTree()
    }

    private func expectNone(_ findings: [Finding], _ location: SourceLocation = #_sourceLocation) {
        guard !findings.isEmpty else { return }
        Issue.record(Comment(rawValue: "\n" + findings.list), sourceLocation: location)
    }

    @Test func theTreeIsThere() {
        #expect(tree.paths.contains("Package.swift"))
        #expect(tree.swiftSources.count > 10)
    }

    @Test func foldersImportOnlyWhatTheyMay() {
        expectNone(tree.swiftSources.flatMap(ImportRule().check))
    }

    @Test func noBannedWordStandsInTheSources() {
        expectNone(tree.swiftSources.flatMap(WordRule().check))
    }

    @Test func unsafeStaysWhereItBelongsAndSaysWhy() {
        expectNone(tree.swiftSources.flatMap(UnsafeRule().check))
    }

    @Test func functionsAndFilesAreShort() {
        expectNone(tree.swiftSources.flatMap(SizeRule().check))
    }

    @Test func linesAreShort() {
        expectNone(tree.readable.flatMap { SizeRule().checkColumns(path: $0.path, text: $0.text) })
    }

    @Test func packageDeclarationsAreDocumented() {
        let sources = tree.swiftSources
        expectNone(sources.flatMap(DocumentationRule(protocolsIn: sources).check))
    }

    @Test func markdownFilesHaveOneTitle() {
        expectNone(tree.markdown.flatMap { TextRule().checkMarkdownTitle(path: $0.path, text: $0.text) })
    }

    @Test func noFileNamesAPathOfOneMachine() {
        expectNone(tree.texts.flatMap { TextRule().checkMachinePaths(path: $0.path, text: $0.text) })
    }

    @Test func noLineEndsInBlanks() {
        expectNone(tree.readable.flatMap { TextRule().checkBlanksAtEnd(path: $0.path, text: $0.text) })
    }

    @Test func everyFileHasItsPlace() {
        expectNone(LayoutRule().check(paths: tree.paths, manifest: tree.text("Package.swift") ?? ""))
    }
}
