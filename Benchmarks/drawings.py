"""Which charts are drawn from the figures."""

from charts import Bar, Chart
from works import DIRECT, KINDS

TONE = {"edge": "edge", "edge-uring": "ring", "relay": "limit", DIRECT: "before"}
PLAIN_LABELS = {"edge": "edge, epoll", "edge-uring": "edge, io_uring", "relay": "plain C relay",
                "haproxy-splice": "haproxy, splicing", DIRECT: "no router"}
OURS = ("edge", "edge-uring")


def label_of(name):
    return PLAIN_LABELS.get(name, name)


def number(value, digits):
    return f"{value:,.{digits}f}"


def rounds_text(figures, kind):
    count = max(len(figures.values(name, kind)) for name in figures.routers(kind))
    return f"median of {count} rounds, line: smallest to largest" if count > 1 else "one round"


def bars_of(figures, kind, names, path=("figure",), digits=0, ratio_to="haproxy"):
    bars = []
    for name in names:
        middle = figures.median(name, kind, *path)
        if middle is None:
            continue
        low, high = figures.bounds(name, kind, *path)
        text = number(middle, digits)
        ratio = figures.ratio(name, ratio_to, kind) if ratio_to and name != ratio_to else None
        if ratio is not None:
            text += f"  ({ratio:.2f} ×)"
        bars.append(Bar(label_of(name), middle, text, TONE.get(name, "other"), low, high, is_strong=name in OURS))
    return bars


def kind_chart(figures, kind, names):
    """The figure of a kind, router by router."""
    bars = bars_of(figures, kind, names, digits=KINDS[kind].digits)
    ratio = "; ×: of haproxy's" if any(bar.label == "haproxy" for bar in bars) else ""
    subtitle = f"{KINDS[kind].unit}, less is better; {rounds_text(figures, kind)}{ratio}"
    return Chart(KINDS[kind].title, subtitle, bars) if bars else None


def start_chart(figures, names):
    bars = bars_of(figures, "idle", names, ("start_mib",), 1, None)
    return Chart("The process at start", "MiB of memory (proportional), with the table loaded and no client yet", bars) if bars else None


def first_byte_chart(figures, names):
    bars = []
    for name in dict.fromkeys([DIRECT, *names]):
        for point, tone in (("p50", None), ("p99", "before")):
            middle = figures.median(name, "tls", "latency", point)
            if middle is None:
                continue
            low, high = figures.bounds(name, "tls", "latency", point)
            label = label_of(name) if point == "p50" else ""
            ours = TONE.get(name, "other") if name != DIRECT else "limit"
            bars.append(Bar(label, middle, number(middle, 0), tone or ours, low, high, point == "p50", name in OURS))
    legend = (("other", "p50"), ("before", "p99"))
    return Chart("Real TLS 1.3: from connect to the answer's first byte", "µs, with OpenSSL at both ends; less is better",
                 bars, legend) if bars else None


def slow_chart(figures, names):
    bars = []
    for name in names:
        for which in ("without", "with"):
            middle = figures.median(name, "slow", which, "latency", "p99")
            if middle is None:
                continue
            low, high = figures.bounds(name, "slow", which, "latency", "p99")
            text = number(middle / 1000, 2)
            tone = TONE.get(name, "other") if which == "with" else "before"
            ratio = figures.median(name, "slow")
            if which == "with" and ratio is not None:
                text += f"  ({ratio:.2f} ×)"
            bars.append(Bar(label_of(name) if which == "without" else "", middle / 1000, text, tone, low / 1000, high / 1000,
                            which == "without", name in OURS))
    legend = (("before", "without the slow clients"), ("other", "with them"))
    return Chart("p99 of normal clients beside slow hellos", "ms at a fixed rate; less is better", bars, legend) if bars else None


def names_chart(figures, names):
    bars = []
    for name in names:
        samples = figures.of(name, "names")
        sizes = list(samples[0]["cpu"]) if samples else []
        for size in sizes:
            middle = figures.median(name, "names", "cpu", size)
            if middle is None:
                continue
            low, high = figures.bounds(name, "names", "cpu", size)
            label = f"{int(size):,} names"
            bars.append(Bar(label, middle, f"{middle:.1f}", TONE[name], low, high, size == sizes[0]))
    legend = tuple((TONE[name], label_of(name)) for name in names if figures.of(name, "names"))
    return Chart("A short connection by the size of the table", "µs of CPU each; less is better", bars, legend) if bars else None


def lead_chart(figures):
    """Everything in one picture: the edge's share of what haproxy spends."""
    short_titles = {"short": "short connection", "hello-pq": "post-quantum hello", "roundtrip": "64-byte round trip",
                    "bulk": "bulk down", "bulk-up": "bulk up", "tls": "real TLS handshake", "idle": "idle session's memory"}
    bars = []
    for kind, title in short_titles.items():
        present = [name for name in OURS if figures.ratio(name, "haproxy", kind) is not None]
        for name in present:
            ratios = figures.ratios(name, "haproxy", kind)
            ratio = figures.ratio(name, "haproxy", kind)
            bars.append(Bar(title if name == present[0] else "", ratio, f"{ratio:.2f}", TONE[name], min(ratios), max(ratios),
                            name == present[0]))
    legend = tuple((TONE[name], label_of(name)) for name in OURS if any(figures.of(name, kind) for kind in short_titles))
    return Chart("What the edge needs of what haproxy needs", "CPU time, and memory where it says so; less is better", bars, legend,
                 1.0, "haproxy") if bars else None


def all_charts(figures, names):
    """By file name without its ending; only those for which there are figures."""
    found = {"lead": lead_chart(figures), "start": start_chart(figures, names), "first-byte": first_byte_chart(figures, names),
             "slow": slow_chart(figures, names), "names": names_chart(figures, names)}
    for kind in ("short", "hello-pq", "roundtrip", "bulk", "bulk-up", "tls", "idle"):
        found[kind] = kind_chart(figures, kind, names) if figures.routers(kind) else None
    return {name: chart for name, chart in found.items() if chart}
