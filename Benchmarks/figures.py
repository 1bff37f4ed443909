"""What is made of the samples: medians, spreads, ratios within a round, and the goals."""

import dataclasses
import statistics


class Figures:
    def __init__(self, samples):
        self.samples = samples

    def of(self, router, kind):
        return [sample for sample in self.samples if sample["router"] == router and sample["kind"] == kind]

    def routers(self, kind):
        """In the order of their first sample of the first round, whatever order later rounds took."""
        return list(dict.fromkeys(sample["router"] for sample in self.samples if sample["kind"] == kind))

    def values(self, router, kind, *path):
        """One value a round; path leads to it within the sample (default: the figure)."""
        found = []
        for sample in self.of(router, kind):
            value = sample
            for key in path or ("figure",):
                value = value.get(key) if isinstance(value, dict) else None
            if value is not None:
                found.append(value)
        return found

    def median(self, router, kind, *path):
        values = self.values(router, kind, *path)
        return statistics.median(values) if values else None

    def bounds(self, router, kind, *path):
        values = self.values(router, kind, *path)
        return (min(values), max(values)) if values else None

    def spread(self, router, kind, *path):
        """(largest - smallest) / median."""
        middle, bounds = self.median(router, kind, *path), self.bounds(router, kind, *path)
        return (bounds[1] - bounds[0]) / middle if bounds and middle else None

    def ratios(self, router, other, kind):
        """Each formed within one round."""
        theirs = {sample["round"]: sample.get("figure") for sample in self.of(other, kind)}
        return [sample["figure"] / theirs[sample["round"]] for sample in self.of(router, kind)
                if sample.get("figure") is not None and theirs.get(sample["round"])]

    def ratio(self, router, other, kind):
        ratios = self.ratios(router, other, kind)
        return statistics.median(ratios) if ratios else None


@dataclasses.dataclass(frozen=True)
class Goal:
    """An upper bound: of the figure itself, or of its ratio to another router's."""

    kind: str
    router: str
    bound: float
    against: str = ""
    path: tuple = ()
    what: str = ""
    digits: int = 2


GOALS = [
    Goal("short", "edge", 0.78, "haproxy"),
    Goal("short", "edge-uring", 0.70, "haproxy"),
    Goal("short", "edge", 1.05, "relay"),
    Goal("roundtrip", "edge", 0.80, "haproxy"),
    Goal("roundtrip", "edge-uring", 0.60, "haproxy"),
    *(Goal(kind, router, bound, other)
      for kind in ("bulk", "bulk-up") for router in ("edge", "edge-uring")
      for other, bound in (("haproxy", 0.48), ("haproxy-splice", 0.48), ("relay", 1.05))),
    *(goal for router in ("edge", "edge-uring") for goal in (
        Goal("idle", router, 512, what="memory of an idle session, bytes", digits=0),
        Goal("idle", router, 10, path=("start_mib",), what="process at start, MiB", digits=1),
        Goal("slow", router, 1.5, what="p99 with slow clients / without"),
        Goal("names", router, 1.03, what="CPU with 1,000,000 names / with 1,000", digits=3))),
]


@dataclasses.dataclass(frozen=True)
class Verdict:
    goal: Goal
    value: float
    low: float
    high: float

    @property
    def is_met(self):
        # What is shown is what is judged: 0.7849 is shown as 0.78 and meets 0.78.
        return round(self.value, self.goal.digits) <= self.goal.bound


def judge(figures):
    """Every goal for which there is a figure, in the order above."""
    found = []
    for goal in GOALS:
        if goal.against:
            values = figures.ratios(goal.router, goal.against, goal.kind)
        else:
            values = figures.values(goal.router, goal.kind, *goal.path)
        if values:
            found.append(Verdict(goal, statistics.median(values), min(values), max(values)))
    return found
