/// Turns the text of all routes files into one image.
package enum RouteCompiler {
    /// Parses the files in their order and builds the table.
    ///
    /// Pure: equal files and an equal seed give equal bytes. One million routes take about half a second, and
    /// memory for about two and a half images while it is being built, besides the text.
    ///
    /// - Parameters:
    ///   - files: all routes files, in the order in which diagnostics should name them.
    ///   - seed: the process's secret for the hash of names.
    /// - Throws: every error of every file, within the limits of `DiagnosticList`.
    package static func compile(
        _ files: [SourceFile], seed: HashSeed
    ) throws(InvalidSource) -> CompiledRoutes {
        var parser = RouteParser(files: files, seed: seed)
        for index in files.indices { parser.parseFile(index) }
        parser.reportDuplicates()
        let routeCount = parser.builder.routeCount
        let nameCount = parser.builder.entries.count
        if parser.diagnostics.errorCount == 0, let image = parser.builder.image() {
            parser.diagnostics.sort(by: files.map(\.path))
            return CompiledRoutes(
                image: image, warnings: parser.diagnostics, routeCount: routeCount, nameCount: nameCount)
        }
        if parser.diagnostics.errorCount == 0, let last = files.last {
            let end = SourcePlace(line: 1, lineStart: 0, start: 0, end: 0)
            parser.diagnostics.add(.error) {
                Diagnostic(.error, at: end, in: last, "all routes together need more than 4 GiB of memory")
            }
        }
        parser.diagnostics.sort(by: files.map(\.path))
        throw InvalidSource(diagnostics: parser.diagnostics)
    }

    /// A table without a single route, as an edge has it before its first files were read.
    package static func empty(seed: HashSeed) -> [UInt8] {
        var builder = RouteImageBuilder(seed: seed)
        guard let image = builder.image() else { preconditionFailure("an empty image is small") }
        return image
    }
}
