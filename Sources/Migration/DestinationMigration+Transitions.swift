/// Every change of a ``DestinationMigration``; the site's token changes with it.
extension DestinationMigration {
    typealias Demand = MigrationRequest.Demand
    typealias Outcome = MigrationAnswer.Outcome

    // MARK: The origin asks

    /// Answers a request of this migration, from its origin. The origin is not trusted: what comes out of
    /// order is refused.
    mutating func answer(_ demand: Demand, _ token: inout WriterToken, atSeconds now: Double) -> Outcome {
        // Not each time: it is written to the disk before an answer is sent.
        if now < heardSeconds || now > heardSeconds + Self.hearingSeconds { heardSeconds = now }
        if case .declined(let reason) = state, demand != .release { return .refused(reason: reason) }
        return switch demand {
        case .offer(let offer): answerOffer(offer)
        case .certificate: answerCertificate()
        case .image: answerImage()
        case .copy(let pass): answerCopy(pass)
        case .compare(let challenge): answerCompare(challenge)
        case .grant(let digest): answerGrant(digest, &token)
        case .open: answerOpen()
        case .release: answerRelease(&token)
        case .finish: answerFinish()
        }
    }

    private mutating func enter(_ next: State) {
        state = next
        retry.reset()
    }

    private mutating func work(_ next: State) -> Outcome {
        enter(next)
        return .working
    }

    private func refuse(_ reason: String) -> Outcome { .refused(reason: reason) }

    private var refuseEnding: Outcome { refuse("this migration is being given up here") }

    private func answerOffer(_ offer: MigrationOffer) -> Outcome {
        switch state {
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying, .digesting, .compared, .starting, .ready, .opening, .serving, .closing,
            .declined:
            offer == self.offer ? .done : refuse("another offer was accepted for this migration")
        case .stopping, .removing: refuseEnding
        }
    }

    private mutating func answerCertificate() -> Outcome {
        switch state {
        case .accepted: work(.checkingCertificate)
        case .checkingCertificate: .working
        case .lackingCertificate: .missing
        case .certified, .checkingImage, .lackingImage, .preparingPass, .copying, .digesting, .compared,
            .starting, .ready, .opening, .serving, .closing, .declined:
            .done
        case .stopping, .removing: refuseEnding
        }
    }

    private mutating func answerImage() -> Outcome {
        switch state {
        case .accepted, .checkingCertificate, .lackingCertificate: refuse("the certificate comes first")
        case .certified: work(.checkingImage)
        case .checkingImage: .working
        case .lackingImage: .missing
        case .preparingPass, .copying, .digesting, .compared, .starting, .ready, .opening, .serving,
            .closing, .declined:
            .done
        case .stopping, .removing: refuseEnding
        }
    }

    private mutating func answerCopy(_ pass: Int) -> Outcome {
        switch state {
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage:
            refuse("certificate and image come first")
        case .preparingPass(let current):
            if pass > current {
                work(.preparingPass(pass))
            } else if pass == current {
                .working
            } else {
                refuse("pass \(pass) is over")
            }
        case .copying(let current):
            if pass > current {
                work(.preparingPass(pass))
            } else if pass == current, pass > 0 {
                .done
            } else {
                refuse("pass \(pass) is over")
            }
        case .digesting, .compared, .starting, .ready, .opening, .serving, .closing, .declined:
            // A late copy would change what was compared, or what the site has written since.
            refuse("the data was compared; it takes no other copy")
        case .stopping, .removing: refuseEnding
        }
    }

    private mutating func answerCompare(_ challenge: String) -> Outcome {
        switch state {
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying(pass: 0):
            return refuse("nothing was copied yet")
        case .copying:
            guard challenge.isDigest else { return refuse("the challenge is none") }
            return work(.digesting(challenge: challenge))
        case .digesting(let current):
            return challenge == current ? .working : refuse("it is compared with another challenge")
        case .compared(let current, let digest):
            guard challenge == current else { return refuse("it was compared with another challenge") }
            return .manifest(digest: digest)
        case .starting, .ready, .opening, .serving, .closing, .declined:
            return refuse("the data is in use")
        case .stopping, .removing: return refuseEnding
        }
    }

    private mutating func answerGrant(_ digest: String, _ token: inout WriterToken) -> Outcome {
        switch state {
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying, .digesting:
            return refuse("the data was not compared yet")
        case .compared(_, let compared):
            guard digest == compared else { return refuse("the grant is for other data than was compared") }
            guard !token.isHeld, epoch > token.epoch else {
                return refuse("a later writer than the grant's is known here")
            }
            token.take(epoch)
            return work(.starting)
        case .starting: return .working
        case .ready, .opening, .serving, .closing, .declined: return .done
        case .stopping, .removing: return refuseEnding
        }
    }

    private mutating func answerOpen() -> Outcome {
        switch state {
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying, .digesting, .compared:
            refuse("nothing was granted")
        case .starting, .opening: .working
        case .ready: work(.opening)
        case .serving, .closing, .declined: .done
        case .stopping, .removing: refuseEnding
        }
    }

    private mutating func answerRelease(_ token: inout WriterToken) -> Outcome {
        switch state {
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying, .digesting, .compared:
            giveUp(&token)
            return .done
        case .declined:
            guard token.isHeld else {
                giveUp(&token)
                return .done
            }
            return work(.stopping)
        case .starting, .ready: return work(.stopping)
        case .stopping: return .working
        case .removing: return .done
        case .opening, .serving, .closing:
            return refuse("the site is served here; only a migration back leads back")
        }
    }

    private mutating func answerFinish() -> Outcome {
        switch state {
        case .serving:
            enter(.closing)
            return .done
        case .closing: return .done
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying, .digesting, .compared, .starting, .ready, .opening, .declined:
            return refuse("the site is not served here")
        case .stopping, .removing: return refuseEnding
        }
    }

    /// Nothing runs here for it: the epoch is refused for ever, and what was staged goes.
    mutating func giveUp(_ token: inout WriterToken) {
        token.burn(epoch)
        enter(.removing)
    }

    /// The site has left for elsewhere, or nobody forwards to it any more.
    mutating func close() { if state == .serving { enter(.closing) } }

    // MARK: What becomes of its work

    /// Takes what happened; whether it is over, so that nothing of it needs to be kept. What belongs to
    /// another action than that of now is of no effect.
    mutating func note(_ event: Event, _ token: inout WriterToken, atSeconds now: Double) -> Bool {
        switch event {
        case .performed(.inquire(inquiry), .failed):
            // It is asked again when it was quiet once more.
            heardSeconds = now
        case .performed(let performed, let result):
            guard performed == action else { return false }
            return take(result, &token, atSeconds: now)
        case .received(let transfer):
            switch (state, transfer) {
            case (.lackingCertificate, .certificate): enter(.accepted)
            case (.lackingImage, .image): enter(.certified)
            case (_, .certificate), (_, .image), (_, .copy): break
            }
        case .refused(let transfer, let reason): refuse(transfer, reason.asReason, atSeconds: now)
        case .told(let about, let standing):
            guard about == inquiry else { return false }
            heardSeconds = now
            if standing == .over { obey(&token) }
        }
        return false
    }

    /// The origin may have asked for the next attempt by now: what is not taken then, either, is refused now.
    private mutating func refuse(_ transfer: MigrationTransfer, _ reason: String, atSeconds now: Double) {
        switch (state, transfer) {
        case (.lackingImage, .image), (.checkingImage, .image), (.copying, .copy), (.preparingPass, .copy):
            decline(reason, atSeconds: now)
        case (_, .certificate), (_, .image), (_, .copy): break
        }
    }

    private mutating func take(
        _ result: Result, _ token: inout WriterToken, atSeconds now: Double
    ) -> Bool {
        switch result {
        case .failed(let reason): fail(reason.asReason, atSeconds: now)
        case .refused(let reason): decline(reason.asReason, atSeconds: now)
        case .done, .missing, .digest: return advance(result, &token, atSeconds: now)
        }
        return false
    }

    private mutating func advance(
        _ result: Result, _ token: inout WriterToken, atSeconds now: Double
    ) -> Bool {
        switch (state, result) {
        case (.checkingCertificate, .missing): enter(.lackingCertificate)
        case (.checkingImage, .missing): enter(.lackingImage)
        case (.digesting(let challenge), .digest(let digest)):
            enter(.compared(challenge: challenge, digest: digest))
        case (_, .done): return advance(&token, atSeconds: now)
        case (_, .missing), (_, .digest), (_, .refused), (_, .failed): mistrust(atSeconds: now)
        }
        return false
    }

    /// The action of now is done, and there is nothing else to say about it.
    private mutating func advance(_ token: inout WriterToken, atSeconds now: Double) -> Bool {
        switch state {
        case .checkingCertificate: enter(.certified)
        case .checkingImage: enter(.copying(pass: 0))
        case .preparingPass(let pass): enter(.copying(pass: pass))
        case .starting: enter(.ready)
        case .opening: enter(.serving)
        case .stopping: giveUp(&token)
        case .closing, .removing: return true
        case .digesting, .accepted, .lackingCertificate, .certified, .lackingImage, .copying, .compared,
            .ready, .serving, .declined:
            mistrust(atSeconds: now)
        }
        return false
    }

    private mutating func mistrust(atSeconds now: Double) {
        fail("the result does not belong to what was done", atSeconds: now)
    }

    private mutating func fail(_ reason: String, atSeconds now: Double) {
        retry.fail(reason, isParked: isParked, atSeconds: now)
        if mayDecline, retry.failures >= Self.failuresMax { decline(reason, atSeconds: now) }
    }

    private mutating func decline(_ reason: String, atSeconds now: Double) {
        guard mayDecline else {
            // There is no other way than this one.
            return retry.fail(reason, isParked: isParked, atSeconds: now)
        }
        enter(.declined(reason: reason))
    }

    /// Whether visitors wait for what it is at.
    private var isParked: Bool {
        switch state {
        case .digesting, .compared, .starting, .ready, .opening, .declined, .stopping: true
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying, .serving, .closing, .removing:
            false
        }
    }

    /// Whether it can say no; not once it is open, nor on the way to its end.
    private var mayDecline: Bool {
        switch state {
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying, .digesting, .compared, .starting, .ready, .declined:
            true
        case .opening, .serving, .closing, .stopping, .removing: false
        }
    }

    /// The origin says that it is over: so it is.
    private mutating func obey(_ token: inout WriterToken) {
        switch state {
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying, .digesting, .compared:
            giveUp(&token)
        case .declined:
            if !token.isHeld { giveUp(&token) }
        case .serving: enter(.closing)
        // An origin that has granted is not over before it was released, nor before it is told that the site
        // is served here. Who says so has lost its memory: the data stays, and the operators decide.
        case .starting, .ready, .opening: break
        case .closing, .stopping, .removing: break
        }
    }

    // MARK: The operator

    /// Does what the operator here wishes; or the reason why not, in one sentence.
    mutating func hear(_ wish: OperatorWish, _ token: inout WriterToken, atSeconds now: Double) -> String? {
        switch wish {
        case .revert: return hearRevert(&token)
        case .finish:
            guard state == .serving || state == .closing else {
                return "the hoster from whom the site comes finishes the migration: \(peer)"
            }
            // It may be gone for good. If it is not, it goes on forwarding, and its end is none of ours.
            if state == .serving { enter(.closing) }
            return nil
        case .resume:
            retry.reset()
            // Asks at once.
            heardSeconds = -Self.servingQuietSecondsMax
            return nil
        }
    }

    private mutating func hearRevert(_ token: inout WriterToken) -> String? {
        switch state {
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying, .digesting, .compared:
            giveUp(&token)
        case .starting, .ready:
            // The grant is given back to who asks for it, and to nobody else.
            enter(.declined(reason: "the operator there does not want the site"))
        case .declined:
            if token.isHeld { return "\(peer) has not asked for the site back yet" }
            giveUp(&token)
        case .opening, .serving, .closing:
            return "the site is served here; only a migration back leads back"
        case .stopping, .removing: break
        }
        return nil
    }
}
