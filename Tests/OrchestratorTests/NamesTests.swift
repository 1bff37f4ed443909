import Orchestrator
import Support
import Testing

/// Names that are led to another hoster in DNS.
struct NamesTests {
    private func address(_ text: String) -> VisitorAddress { VisitorAddress(text)! }

    private func move(_ names: [String], new: [String] = ["198.51.100.4"]) -> NameMove {
        NameMove(
            names: names, old: [address("203.0.113.7"), address("2001:db8::7")],
            new: Set(new.map { address($0) }), ttlSeconds: 300)
    }

    /// What `dig` prints for one question.
    private func printed(
        _ name: String, _ type: String, _ lines: [String], status: String = "NOERROR", flags: String = "qr aa"
    ) -> String {
        """
        ;; Got answer:
        ;; ->>HEADER<<- opcode: QUERY, status: \(status), id: 28233
        ;; flags: \(flags); QUERY: 1, ANSWER: \(lines.count), AUTHORITY: 1, ADDITIONAL: 2

        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ; COOKIE: a8c1395db911be68010000006b0b8462f4c866bb5802ba3c (good)
        ;; QUESTION SECTION:
        ;\(name).\t\t\tIN\t\(type)

        ;; ANSWER SECTION:
        \(lines.joined(separator: "\n"))


        """
    }

    private func step(
        _ move: NameMove, _ name: String, a: [String], aaaa: [String] = [], flags: String = "qr aa"
    ) -> NameMove.Step {
        let text = printed(name, "A", a, flags: flags) + printed(name, "AAAA", aaaa, flags: flags)
        return move.step(for: name, NameAnswer.list(text))
    }

    @Test func answersOfDigAreRead() throws {
        let text =
            printed(
                "www.Shop.example", "A",
                [
                    "www.Shop.example.\t300\tIN\tCNAME\tShop.example.",
                    "shop.example.\t\t60\tIN\tA\t203.0.113.7",
                ])
            + printed("gone.example", "AAAA", [], status: "NXDOMAIN", flags: "qr rd ra")
        let answers = NameAnswer.list(text)
        #expect(answers.map(\.name) == ["www.shop.example", "gone.example"])
        #expect(answers.map(\.status) == ["NOERROR", "NXDOMAIN"])
        #expect(answers.map(\.isAuthoritative) == [true, false])
        #expect(answers[0].addresses == [address("203.0.113.7")] && answers[0].records[1].ttlSeconds == 60)
        #expect(answers[1].addresses.isEmpty)
        #expect(NameAnswer.list(";; no servers could be reached\n").isEmpty)
    }

    /// What a server may send that is none of this breaks nothing.
    @Test func noiseIsNoAnswer() {
        for text in ["", ";; ->>HEADER<<-", ";; ->>HEADER<<- status: \n;; flags:\n;IN\n", "a IN A b"] {
            #expect(NameAnswer.list(text).isEmpty)
        }
    }

    @Test func anAddressIsTheSameHoweverItIsWritten() {
        #expect(address("2001:DB8:0::7") == address("2001:db8::7"))
        #expect(address("203.0.113.7") != address("::203.0.113.7"))
        for text in ["", "203.0.113", "203.0.113.07", "[2001:db8::7]", "fe80::1%eth0", "1.2.3.4\nsend"] {
            #expect(VisitorAddress(text) == nil, "\(text)")
        }
    }

    @Test func onlyWhatWasSeenIsChanged() {
        let found = step(
            move(["shop.example"], new: ["198.51.100.4", "2001:db8::4"]), "shop.example",
            a: ["shop.example. 300 IN A 203.0.113.7", "shop.example. 300 IN A 192.0.2.1"],
            aaaa: ["shop.example. 300 IN AAAA 2001:db8:0::7"])
        #expect(
            found
                == .update([
                    "prereq yxrrset shop.example. IN A 192.0.2.1",
                    "prereq yxrrset shop.example. IN A 203.0.113.7",
                    "prereq yxrrset shop.example. IN AAAA 2001:db8:0::7",
                    "update delete shop.example. IN A 203.0.113.7",
                    "update delete shop.example. IN AAAA 2001:db8:0::7",
                    "update add shop.example. 300 IN A 198.51.100.4",
                    "update add shop.example. 300 IN AAAA 2001:db8::4",
                ]))
    }

    @Test func whatIsNotOursIsLeft() {
        let move = move(["shop.example", "www.shop.example"])
        let alias = ["www.shop.example. 300 IN CNAME shop.example.", "shop.example. 300 IN A 203.0.113.7"]
        #expect(step(move, "www.shop.example", a: alias, aaaa: [alias[0]]) == .done)
        let other = ["shop.example. 300 IN CNAME farm.example.", "farm.example. 300 IN A 203.0.113.7"]
        #expect(
            step(move, "shop.example", a: other, aaaa: [other[0]]) == .leave("it is an alias of farm.example")
        )
        #expect(
            step(move, "shop.example", a: ["shop.example. 300 IN A 192.0.2.1"])
                == .leave("it leads to 192.0.2.1"))
        #expect(step(move, "shop.example", a: []) == .leave("it has no address there"))
        #expect(
            step(move, "shop.example", a: ["shop.example. 300 IN A 203.0.113.7"], flags: "qr")
                == .leave("its zone is not at the server that takes updates"))
        #expect(move.step(for: "shop.example", []) == .leave("the server does not say where it leads"))
    }

    /// Done again, as after a crash, it is done.
    @Test func whatLeadsThereIsDone() {
        #expect(
            step(move(["shop.example"]), "shop.example", a: ["shop.example. 300 IN A 198.51.100.4"]) == .done)
    }

    @Test func whatToTypeIsSaid() {
        #expect(
            move(["a.example", "b.example"], new: ["2001:db8::4", "198.51.100.4"])
                .handwork(["a.example", "b.example"])
                == "let a.example, b.example lead to A 198.51.100.4, AAAA 2001:db8::4 in DNS")
    }
}
