"""The checks of what serves a model: the gate, the server's own checks, canary and rollback."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from ..bundle import EXAMPLES, Bundle, pack
from ..columns import Columns, length, take
from ..lifecycle.apply_rules import apply_rules
from ..lifecycle.debug import debug
from ..lifecycle.rollback import earlier_champion
from ..lifecycle.scores import MODEL, NAIVE, assess
from ..model_store import BUNDLE, CHALLENGER, CHAMPION, EVIDENCE, Pointer, Store
from ..serving.model_loader import ModelLoader
from ..serving.prometheus import Metrics
from ..serving.services import Services
from .checks import Outcome
from .subject import Subject, ask

SHARE = 0.5
"""Of the entities that a canary answers."""
ROWS = 400
"""Test rows that a canary predicts."""
DEVIATIONS = 5
"""How many standard deviations the share of a canary may be from what was set."""
SECONDS = 60
"""How long a server may take to follow an alias."""
POLL_SECONDS = 0.05


def validated(subject: Subject) -> Outcome:
    """Have the gate refuse naive predictions, and a server a bundle that fails its examples."""
    project = subject.project
    predictions = subject.predicted.predictions
    naive = {**predictions, MODEL: predictions[NAIVE]}
    evaluation = assess(project.training, subject.test, naive)
    challenger = replace(subject.predicted, predictions=naive)
    verdicts = apply_rules(project, challenger, evaluation, None, lambda _: None)
    refusals = [verdict.rule for verdict in verdicts if not verdict.passed]
    store, (pointer,) = publish(subject, "validated", [tampered(subject.bundle)])
    store.set_alias(CHAMPION, pointer)
    loader = ModelLoader(project.training.make_task, store, CHAMPION, Metrics())
    detail = (
        f"the gate refuses the predictions of no model by the rules {', '.join(refusals)}; "
        f"the server says: {loader.refused or 'nothing'}"
    )
    return Outcome("naive" in refusals and loader.served is None, detail)


def debugged(subject: Subject) -> Outcome:
    """Ask a server that logs rows, and predict the logged row again, step by step."""
    own = replace(subject, folder=subject.folder / "debug")
    own.folder.mkdir()
    request = subject.requests[0].model_dump(mode="json")
    with own.serve(log_rows=True) as client:
        (prediction,) = ask(client, request).json()["prediction_ids"]
    debug(own.in_folder(), prediction)  # raises if the answers differ
    return Outcome(True, "the logged row of a request gets the logged answer, to the last digit")


def canary(subject: Subject) -> Outcome:
    """Let a challenger answer half of the entities; one that fails its examples answers none."""
    bundles = [subject.bundle, subject.bundle, tampered(subject.bundle)]
    store, (champion, good, broken) = publish(subject, "canary", bundles)
    store.set_alias(CHAMPION, champion)
    chosen = np.unique(np.linspace(0, length(subject.test) - 1, ROWS).astype(int))
    rows = take(subject.test, chosen)
    entity = subject.task.entity
    entities = rows[entity].astype(str) if entity in rows else np.arange(len(chosen))
    count = len(np.unique(entities))
    allowed = DEVIATIONS * np.sqrt(SHARE * (1 - SHARE) / count)
    shares = []
    for challenger in (good, broken):
        store.set_alias(CHALLENGER, challenger)
        versions = canary_versions(subject, store, rows)
        is_canary = versions == str(challenger.version)
        answered = np.unique(entities[is_canary])
        if np.isin(entities[~is_canary], answered).any():
            return Outcome(False, "two versions answered for one entity")
        shares.append(len(answered) / count)
    found, of_broken = shares
    detail = (
        f"a challenger answered {found:.0%} of {count} entities, {SHARE:.0%} were wanted, and one "
        f"whose examples get other answers {of_broken:.0%}"
    )
    return Outcome(abs(found - SHARE) <= allowed and of_broken == 0, detail)


def canary_versions(subject: Subject, store: Store, rows: Columns) -> NDArray[np.str_]:
    """Return the version that answers each row in a server with a canary."""
    off = SecretStr("off")
    settings = subject.settings(model_store=store.address, log_url=off, serve_canary=SHARE)
    make_task = subject.project.training.make_task
    services = Services(make_task, settings, subject.folder, None)
    asked = subject.task.to_rows(subject.requests[:1])
    # Requests have more columns than test rows, such as how many items to recommend.
    more = {n: np.repeat(v[:1], length(rows), axis=0) for n, v in asked.items()}
    predictions, _ = services.predictions.canary.predict({**more, **rows})
    return np.array([prediction.version for prediction in predictions])


def rolled_back(subject: Subject) -> Outcome:
    """Make the champion before the champion again, while a server answers."""
    store, (first, second) = publish(subject, "rollback", [subject.bundle] * 2)
    second = second.model_copy(update={"previous": (first.version,)})
    store.set_alias(CHAMPION, second)
    own = replace(subject, folder=subject.folder / "rollback-server")
    own.folder.mkdir()
    project = own.in_folder(model_store=store.address)
    request = subject.requests[0].model_dump(mode="json")
    served: list[str] = []
    failed = 0
    settings = {"model_store": store.address, "serve_poll_seconds": POLL_SECONDS}
    with own.serve(**settings) as client:
        end = time.monotonic() + SECONDS
        while str(first.version) not in served[-1:] and time.monotonic() < end:
            failed += ask(client, request).is_error
            served.append(client.get("/readyz").json()["model_version"])
            if len(served) == 1:
                store.set_alias(CHAMPION, earlier_champion(project, second))
    seen = list(dict.fromkeys(served))
    detail = f"versions {', then '.join(seen)} answered; {failed} of {len(served)} requests failed"
    return Outcome(seen == [str(second.version), str(first.version)] and not failed, detail)


def examples_of(bundle: Bundle) -> Any:
    """Return the requests of a bundle with their responses."""
    return json.loads(bundle.files[EXAMPLES])


def tampered(bundle: Bundle) -> Bundle:
    """Return a bundle whose model gives other answers than its examples say."""
    examples = examples_of(bundle)
    for example in examples:
        example["response"] = dict.fromkeys(example["response"])
    return replace(bundle, files={**bundle.files, EXAMPLES: json.dumps(examples).encode()})


def publish(subject: Subject, name: str, bundles: Sequence[Bundle]) -> tuple[Store, list[Pointer]]:
    """Publish bundles as versions 1, 2 and so on of a new model store, without aliases."""
    evidence = subject.project.store.fetch(subject.version.number, EVIDENCE)
    store = Store(str(subject.folder / f"store-{name}"))
    pointers = []
    for number, bundle in enumerate(bundles, 1):
        store.publish(number, EVIDENCE, evidence)
        for path in bundle.large.values():
            store.add_large(path)
        store.publish(number, BUNDLE, pack(bundle))
        pointers.append(Pointer(version=number, digest=bundle.digest))
    return store, pointers
