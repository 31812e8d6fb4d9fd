"""The model card, in Markdown, with the sections of Mitchell et al. 2019 that apply."""

from importlib import resources

from jinja2 import Environment, StrictUndefined

from .document import Document, findings, number, verdict


def card(document: Document) -> str:
    """Write the model card: the same document gives the same text."""
    environment = Environment(  # noqa: S701 - Markdown has its own escapes, in `_text`
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"number": number, "text": _text}
    source = resources.files(__package__).joinpath("card.jinja").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        about=document.about,
        manifest=document.manifest,
        evaluation=document.evaluation,
        goal=document.goal,
        verdict=verdict(document),
        findings=findings(document),
    )


def _text(text: str) -> str:
    """Keep text on its line and in its cell, and keep tags from being tags."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
