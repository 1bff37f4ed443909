extension OriginMigration.State {
    /// The state in one word, as it is shown, and as LIFECYCLE.md names it.
    package var word: String {
        switch self {
        case .agreeing: "agreeing"
        case .certifying: "certifying"
        case .sendingCertificate: "sendingCertificate"
        case .imaging: "imaging"
        case .sendingImage: "sendingImage"
        case .openingPass: "openingPass"
        case .copying: "copying"
        case .fencing: "fencing"
        case .openingLastPass: "openingLastPass"
        case .copyingLast: "copyingLast"
        case .askingManifest: "askingManifest"
        case .digesting: "digesting"
        case .comparing: "comparing"
        case .granted: "granted"
        case .releasing: "releasing"
        case .opening: "opening"
        case .switching: "switching"
        case .settingAside: "settingAside"
        case .announcing: "announcing"
        case .forwarding: "forwarding"
        case .ending: "ending"
        case .closing: "closing"
        case .done: "done"
        case .restoring: "restoring"
        case .recalling: "recalling"
        case .clearing: "clearing"
        case .reverted: "reverted"
        }
    }
}

extension DestinationMigration.State {
    /// The state in one word, as it is shown, and as LIFECYCLE.md names it.
    package var word: String {
        switch self {
        case .accepted: "accepted"
        case .checkingCertificate: "checkingCertificate"
        case .lackingCertificate: "lackingCertificate"
        case .certified: "certified"
        case .checkingImage: "checkingImage"
        case .lackingImage: "lackingImage"
        case .preparingPass: "preparingPass"
        case .copying: "copying"
        case .digesting: "digesting"
        case .compared: "compared"
        case .starting: "starting"
        case .ready: "ready"
        case .opening: "opening"
        case .serving: "serving"
        case .closing: "closing"
        case .declined: "declined"
        case .stopping: "stopping"
        case .removing: "removing"
        }
    }
}
