"""Horizontal bars as SVG, made with the standard library alone, so that `make bench` installs nothing for them."""

import dataclasses
import html
import math

WIDTH = 760
LABELS = 170  # columns of the labels on the left
RIGHT = 130  # room for the number behind the longest bar
TOP = 88
BAR = 20
GAP = 7  # between bars of one group
GROUP_GAP = 16
FOOT = 34

BACKGROUND, TEXT, QUIET, GRID = "#ffffff", "#1f2328", "#656d76", "#e7eaee"
FONT = "font-family=\"-apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif\""
TONES = {"other": "#b6bfc9", "limit": "#8a96a3", "edge": "#0f766e", "ring": "#14b8a6", "before": "#d5dbe1"}


@dataclasses.dataclass
class Bar:
    label: str
    value: float
    text: str  # the number at its end
    tone: str = "other"
    low: float = None  # over the rounds
    high: float = None
    opens_group: bool = True  # a larger gap above
    is_strong: bool = False  # one of ours: its words stand out


@dataclasses.dataclass
class Chart:
    title: str
    subtitle: str
    bars: list
    legend: tuple = ()  # pairs of tone and text
    line: float = None  # a vertical line at this value, with
    line_text: str = ""


def nice_step(largest):
    """A step of 1, 2 or 5 times a power of ten that makes four to eight parts."""
    rough = largest / 5
    power = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def text_at(x, y, text, size=13, fill=TEXT, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" '
            f'font-weight="{weight}" stroke="{BACKGROUND}" stroke-width="3" paint-order="stroke">{html.escape(text)}</text>')


def positions(bars):
    """The upper edge of each bar, and where the last one ends."""
    found, y = [], TOP
    for index, bar in enumerate(bars):
        if index:
            y += BAR + (GROUP_GAP if bar.opens_group else GAP)
        found.append(y)
    return found, y + BAR


def grid(scale, step, end, bottom):
    parts, value = [], 0.0
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    while value <= end + step / 1000:
        x = LABELS + value * scale
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom + 8}" stroke="{GRID}"/>')
        parts.append(text_at(x, bottom + 24, f"{value:,.{digits}f}", 11, QUIET, "middle"))
        value += step
    return parts


def draw_bar(bar, y, scale):
    middle, length = y + BAR / 2, max(1.0, bar.value * scale)
    weight = "600" if bar.is_strong else "normal"
    parts = [text_at(LABELS - 12, middle + 4.5, bar.label, 13, TEXT, "end", weight),
             f'<rect x="{LABELS}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{TONES[bar.tone]}"/>']
    end = LABELS + length
    if bar.low is not None and bar.high is not None and (bar.high - bar.low) * scale >= 2:
        low, high = LABELS + bar.low * scale, LABELS + bar.high * scale
        parts.append(f'<path d="M{low:.1f} {middle - 4}v8M{low:.1f} {middle}H{high:.1f}M{high:.1f} {middle - 4}v8" '
                     f'stroke="{TEXT}" stroke-opacity="0.6" fill="none"/>')
        end = max(end, high)
    parts.append(text_at(end + 8, middle + 4.5, bar.text, 13, TEXT, weight=weight))
    return parts


def draw_legend(legend):
    parts, x = [], LABELS
    for tone, text in legend:
        parts.append(f'<rect x="{x}" y="{TOP - 24}" width="11" height="11" rx="2" fill="{TONES[tone]}"/>')
        parts.append(text_at(x + 17, TOP - 14, text, 12, QUIET))
        x += 17 + 7 * len(text) + 24
    return parts


def render(chart):
    """The chart as the text of an SVG file."""
    tops, bottom = positions(chart.bars)
    largest = max(max(bar.value, bar.high or 0) for bar in chart.bars)
    largest = max(largest, chart.line or 0) or 1
    step = nice_step(largest)
    end = math.ceil(largest / step - 1e-9) * step
    scale = (WIDTH - LABELS - RIGHT) / end
    height = bottom + FOOT
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
             f'role="img" aria-label="{html.escape(chart.title)}" {FONT}>',
             f'<rect width="{WIDTH}" height="{height}" fill="{BACKGROUND}"/>',
             text_at(16, 26, chart.title, 16, TEXT, weight="600"), text_at(16, 45, chart.subtitle, 12, QUIET)]
    parts += draw_legend(chart.legend)
    parts += grid(scale, step, end, bottom)
    if chart.line is not None:
        x = LABELS + chart.line * scale
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom + 8}" stroke="{TEXT}" stroke-dasharray="4 3"/>')
        parts.append(text_at(x, TOP - 14, chart.line_text, 12, TEXT, "middle"))
    for bar, y in zip(chart.bars, tops):
        parts += draw_bar(bar, y, scale)
    return "\n".join(parts) + "\n</svg>\n"
