/// A route table that is ready for use.
package struct CompiledRoutes: Sendable {
    /// The image, for `RouteImage`. Position-independent: it may be copied anywhere.
    package var image: [UInt8]

    /// What the author should look at; holds no errors.
    package var warnings: DiagnosticList

    /// How many routes (lines) there are.
    package var routeCount: Int

    /// How many names lead to them: wildcards count, the default route does not.
    package var nameCount: Int
}
