"""The bias report in plain words and tables, for a terminal or a file."""

from byline.platform.fairness.report import Report
from byline.safety.fairness.statistics import Balance, Measure


def text(report: Report) -> str:
    """For a reader. One table per attribute, prompts and outputs apart."""
    lines = [
        f"Bias report of {report.brand}, {report.since} to {report.until}",
        f"Prompts with people: {report.prompts} ({_counts(report.decisions) or 'none'})",
    ]
    if report.other_targets:
        lines.append(f"Drawn under {report.other_targets} earlier target(s) as well; compared with today's.")
    for name in report.target:
        before, after = report.before[name], report.after[name]
        lines += ["", f"{name} in prompts"]
        lines += _table(before.balance, f"before ({before.open} left open)")
        lines += _table(after.balance, f"after ({after.open} left open)")
        change = report.drift[name]
        if change.p is not None:
            lines.append(f"  last month against earlier: moved {change.moved:.2f}, p {change.p:.3f}")
        down = [f"{v or 'unsaid'} {a} of {b}" for v, (a, b) in report.turned_down[name].items() if b]
        if down:
            lines.append(f"  edited or refused by editors: {', '.join(down)}")
    lines += ["", "ledger (adults, all combinations)", *_figures(report.ledger)]
    outputs = report.outputs
    lines += ["", "Outputs, measured on frames"]
    if outputs.why:
        lines.append(f"  {outputs.why}")
    for name, found in outputs.sides.items():
        right = outputs.accuracy.get(name)
        said = f"right in {right:.1%} of held-back drawings" if right is not None else "accuracy not measured"
        lines += [f"{name} in outputs, by {outputs.classifier} ({said})", *_table(found, "measured")]
    if outputs.clips:
        lines += [
            f"{name} in outputs: not measured by this classifier"
            for name in report.target
            if name not in outputs.sides
        ]
    if outputs.nobody:
        lines.append(f"  nobody was seen in {outputs.nobody} shots")
    for why, count in outputs.not_measured.items():
        lines.append(f"  not measured: {count} clips, {why}")
    return "\n".join(lines) + "\n"


def _counts(found: object) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(dict(found).items()))  # type: ignore[call-overload]


def _table(found: Balance, title: str) -> list[str]:
    if not found.n:
        return [f"  {title}: nobody of whom it is said"]
    shares = ", ".join(
        f"{value or 'unsaid'} {share:.1%} (target {found.target[value]:.1%})"
        for value, share in found.shares.items()
    )
    return [f"  {title}, n {found.n}: {shares}", *_figures(found)]


def _figures(found: Balance) -> list[str]:
    if not found.n:
        return ["  nothing drawn yet"]
    return [
        f"    entropy {figure(found.entropy)}, KL {figure(found.kl)}, max-min ratio {figure(found.ratio)},"
        f" largest gap {figure(found.gap)}, n {found.n}"
    ]


def figure(found: Measure) -> str:
    """ "0.98 (0.95-1.00)"; a ratio while a group has nobody is "unbounded"."""
    value = "unbounded" if found.value is None else f"{found.value:.3f}"
    if found.low is None:
        return value
    high = "unbounded" if found.high is None else f"{found.high:.3f}"
    return f"{value} ({found.low:.3f}-{high})"
