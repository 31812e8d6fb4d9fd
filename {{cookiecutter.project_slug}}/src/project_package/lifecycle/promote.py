"""promote: make the challenger the champion if it passes every rule of the gate."""

from dataclasses import replace

from ..errors import GateRefused
from ..model_store import CHALLENGER, EVIDENCE
from .apply_rules import apply_rules
from .evaluate import describe, find_challenger, write_report
from .performance import PERFORMANCE, measure
from .predicted_test_rows import read_version
from .project import Project


def promote(project: Project) -> int:
    """Make the challenger the champion if it passes every rule of the gate; return its version.

    Raises:
        GateRefused: a rule refused; the message has each such rule with its numbers.
        UserError: there is no challenger, it was not evaluated, its test rows are not available,
            or promote.guarded has an unknown name.
    """
    registry = project.registry
    console = project.console
    with project.workspace.lock():  # a second promote waits, and sees the new champion
        version = find_challenger(project)
        champion = registry.champion()
        if champion is not None and champion.number == version.number:
            console.print(f"Version {version.number} is the champion already.")
            return version.number
        with console.step("promote") as progress:
            # 1. Read the scores and the predictions of the test rows; if code or parameters have
            # changed since, compute both again. Apply the rules.
            evaluation = registry.evaluation(version)
            predicted = read_version(project, version)
            document = describe(project, predicted, evaluation if predicted.is_kept else None)
            progress(0.2)
            verdicts = apply_rules(project, predicted, document.evaluation, champion, progress)
            refused = [verdict for verdict in verdicts if not verdict.passed]
            # 2. Write the outcome into report and card.
            write_report(project, version, replace(document, verdicts=tuple(verdicts)))
            # 3. Make it the champion, with what its answers cost, for `ml checklist` to compare; or
            # else no longer the store's challenger.
            if refused:
                registry.store.delete_alias(CHALLENGER)
            else:
                costs = measure(project, predicted).model_dump_json(indent=2)
                registry.client.log_text(version.run, costs, f"{EVIDENCE}/{PERFORMANCE}")
                registry.set_champion(version)
    if refused:
        lines = "\n".join(f"  {verdict}" for verdict in refused)
        raise GateRefused(f"Version {version.number} does not become the champion:\n{lines}")
    for verdict in verdicts:
        console.print(f"  {verdict}")
    console.print(f"Version {version.number} is the champion.")
    return version.number
