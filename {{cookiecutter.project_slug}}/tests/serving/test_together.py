"""Requests of one round are one batch, and each gets its own answers."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from project_package.errors import UserError
from project_package.serving.batch import Answers, Batch, Versions, Watch
from project_package.serving.follower import Follower
from project_package.serving.together import Together
from project_package.model_store import CHALLENGER, CHAMPION


def versions(multiplying: Any, canary: float = 0, graph: bytes = b"") -> Versions:
    """Give version 1, and version 6 for a share of the subjects."""
    multiplying.publish(6, CHALLENGER, graph)
    one = Follower(multiplying.api, multiplying.store, CHAMPION)
    two = Follower(multiplying.api, multiplying.store, CHALLENGER, optional=True)
    return Versions(one, two, canary)


def ask(multiplying: Any, together: Together, *bodies: Sequence[float]) -> list[Answers]:
    """Answer bodies that come in one round."""

    async def all_() -> list[Answers]:
        return await asyncio.gather(
            *(
                together.answer(
                    [multiplying.api.request(x=x, who=f"{x}") for x in body], [{} for _ in body]
                )
                for body in bodies
            )
        )

    return asyncio.run(all_())


def test_bodies_of_one_round_are_one_batch(multiplying: Any) -> None:
    told: list[Batch] = []
    together = Together(multiplying.api, versions(multiplying), Watch(told.extend, told.extend))
    answers = ask(multiplying, together, [1, 2], [3], [4, 5, 6])
    assert [list(map(float, batch.features["x"])) for batch in told] == [[1, 2, 3, 4, 5, 6]] * 2
    given = [[f'{{"y":{x}.0}}' for x in body] for body in ([1, 2], [3], [4, 5, 6])]
    assert [list(one.predictions) for one in answers] == given


def test_versions_of_one_round_are_batches_of_their_own(multiplying: Any) -> None:
    told: list[Batch] = []
    together = Together(multiplying.api, versions(multiplying, 0.5), Watch(after=told.extend))
    (answer,) = ask(multiplying, together, range(1, 41))
    assert sorted(batch.served.version for batch in told) == ["1", "6"]
    factors = [float(text[5:-1]) / x for x, text in enumerate(answer.predictions, 1)]
    assert factors == [float(version) for version in answer.versions]


def test_what_cannot_be_logged_is_told_to_all_and_answered_to_none(multiplying: Any) -> None:
    def full(_: Sequence[Batch]) -> None:
        raise UserError("full")

    told: list[Batch] = []
    together = Together(multiplying.api, versions(multiplying), Watch(full, told.extend))
    with pytest.raises(UserError, match="full"):
        ask(multiplying, together, [1])
    assert told == []


def frail(factor: float) -> bytes:
    """Give a graph that answers one row, and fails on more."""
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["x", "one"], ["z"]),
            helper.make_node("Mul", ["z", "f"], ["y"]),
        ],
        "frail",
        [helper.make_tensor_value_info("x", floats, ["rows"])],
        [helper.make_tensor_value_info("y", floats, ["rows"])],
        [
            numpy_helper.from_array(np.array([1], np.int64), "one"),
            numpy_helper.from_array(np.array(factor, np.float32), "f"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


def test_the_champion_stands_in_for_a_challenger_that_fails(multiplying: Any) -> None:
    both = versions(multiplying, 1, frail(6))
    together = Together(multiplying.api, both, Watch())
    assert ask(multiplying, together, [1])[0].versions == ["6"]
    (answer,) = ask(multiplying, together, [1, 2])
    assert (list(answer.versions), list(answer.predictions)) == (
        ["1"] * 2,
        ['{"y":1.0}', '{"y":2.0}'],
    )
    assert both.challenger is not None
    assert "Version 6 failed on a request" in both.challenger.refused
    assert ask(multiplying, together, [1])[0].versions == ["1"]
