import Routes
import Wire

/// Any text is compiled or refused with places in it; what is compiled is a valid table in which each name
/// finds its route.
func fuzzRoutes(_ bytes: [UInt8]) {
    let file = SourceFile(path: "fuzz.routes", bytes: bytes)
    do throws(InvalidSource) {
        let compiled = try RouteCompiler.compile([file], seed: HashSeed(first: 1, second: 2))
        let image = compiled.image.span.rawBytes
        do throws(RouteImageError) {
            try RouteImage.validate(image)
        } catch {
            require(false, "what is compiled is valid")
        }
        var entry = RouteImage.nameEntry(after: nil, in: image)
        var count = 0
        while let name = entry {
            count += 1
            _ = RouteImage.options(RouteImage.route(name.routeIndex, in: image).optionsIndex, in: image)
            entry = RouteImage.nameEntry(after: name, in: image)
        }
        require(count <= compiled.nameCount, "no more names than were compiled")
    } catch {
        require(error.diagnostics.errorCount > 0, "a refusal names an error")
        require(!error.diagnostics.rendered.isEmpty, "a refusal has a text")
    }
}

/// Any text is a configuration or refused with places in it.
func fuzzConfiguration(_ bytes: [UInt8]) {
    let file = SourceFile(path: "fuzz.conf", bytes: bytes)
    do throws(InvalidSource) {
        let (configuration, _) = try Configuration.parse(file)
        require(!configuration.listeners.isEmpty, "a configuration has a listener")
        require(
            configuration.limits.parked <= configuration.limits.connections, "limits fit each other")
    } catch {
        require(error.diagnostics.errorCount > 0, "a refusal names an error")
        require(!error.diagnostics.rendered.isEmpty, "a refusal has a text")
    }
}
