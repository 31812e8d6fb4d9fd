"""The model card, in Markdown, with the sections of Mitchell et al. 2019 that apply."""

from collections.abc import Sequence

from .document import Document, findings, number, verdict


def card(document: Document) -> str:
    """Write the model card: the same document gives the same text."""
    about = document.about
    sections = {
        "Model details": _details(document),
        "Intended use": [_text(about.use)],
        "Out of scope": [_text(about.misuse)],
        "Data": _data(document),
        "Metrics": _metrics(document),
        "Results": _results(document),
        "Slices": _slices(document),
        "Limits": [f"- {_text(limit)}" for limit in about.limits],
    }
    parts = [f"# {_text(about.title)}", _text(about.question)]
    for title, lines in sections.items():
        parts += [f"## {title}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _details(document: Document) -> list[str]:
    manifest = document.manifest
    settings = ", ".join(f"{name} {value}" for name, value in manifest.settings.items())
    facts = {
        "Name": manifest.name,
        "Kind of model": manifest.candidate,
        "Settings": settings or "none",
        "Trained": manifest.created,
        "Code": f"commit {manifest.commit}" if manifest.commit else "outside a git repository",
        "Form": "ONNX graph with its assets and a manifest of hashes",
    }
    lines = [f"- {name}: {_text(value)}" for name, value in facts.items()]
    if (parity := manifest.parity) is not None:
        lines.append(
            f"- Parity: the graph and the fitted model differ by {parity.largest_difference:.1e} "
            f"at most on {parity.rows:,} rows; {parity.changed_decisions:,} decisions changed"
        )
    return lines


def _data(document: Document) -> list[str]:
    return [
        _text(document.about.data),
        "",
        f"- Data set: {_text(document.manifest.data)}",
        f"- Test: {document.evaluation.rows:,} rows with no part in fitting or choosing the model",
    ]


def _metrics(document: Document) -> list[str]:
    lines = []
    for score in document.evaluation.scores:
        direction = "higher" if score.higher_is_better else "lower"
        decides = "; this one decides" if score.name == document.goal.name else ""
        lines.append(f"- {_text(score.label)}: {direction} is better{decides}")
    note = "A score is the mean over the periods of the test, ± its standard deviation over them."
    return [*lines, "", note]


def _results(document: Document) -> list[str]:
    rows = [
        (
            score.label,
            f"{number(score.model)} ± {number(score.spread)}",
            *(number(value) for value in (score.baseline, score.naive, score.ceiling)),
        )
        for score in document.evaluation.scores
    ]
    header = ("Metric", "Model", "Baseline", "No model", "Best possible")
    said = [f"- {_text(finding)}" for finding in findings(document)]
    return [verdict(document), "", *said, "", *_table(header, rows)]


def _slices(document: Document) -> list[str]:
    rows = [
        (part.name, f"{part.rows:,}", number(part.model), number(part.baseline))
        for part in document.evaluation.slices
    ]
    if not rows:
        return ["The test has no slices."]
    return [
        f"{_text(document.goal.label)} on parts of the test:",
        "",
        *_table(("Slice", "Rows", "Model", "Baseline"), rows),
    ]


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    rule = ("---", *["---:"] * (len(header) - 1))
    lines = [header, rule, *(tuple(_text(cell) for cell in row) for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _text(text: str) -> str:
    """Keep text on its line and in its cell, and keep tags from being tags."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
