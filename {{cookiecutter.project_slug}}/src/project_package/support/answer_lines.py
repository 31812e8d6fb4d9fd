"""An answer as `ml ask` prints it."""

from .schemas import SupportResponse

NEAREST = 3  # passages that are shown with a refusal


def answer_lines(response: SupportResponse) -> list[str]:
    """Return the answer with its sources, or the nearest passages of a refusal."""
    if response.refused:
        nearest = [f"- {one.title} ({one.document})" for one in response.passages[:NEAREST]]
        return ["The documents do not answer this. The nearest passages:", *nearest]
    cited = dict.fromkeys(index for one in response.sentences for index in one.passages)
    lines = [response.answer, ""]
    for index in cited:
        passage = response.passages[index]
        where = [passage.document]
        where += [f"page {passage.page}"] if passage.page else []
        where += [passage.link] if passage.link else []
        lines.append(f"Source: {passage.title} ({', '.join(where)})")
    return [*lines, f"Confidence: {response.confidence:.0%}"]
