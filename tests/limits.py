"""How much of each kind a generated project may hold; `budgets.py` counts it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """A limit of a figure, at most or at least; the aim is what it should become."""

    limit: float
    aim: float | None = None
    at_least: bool = False

    def allows(self, figure: float) -> bool:
        """Return whether a figure is within the limit."""
        return figure >= self.limit if self.at_least else figure <= self.limit


BUDGETS = {
    # Lines of code, so that docs and blank lines cost nothing.
    # The core should have 5,000 with history and 4,300 without, of it the server 1,600 and 1,400,
    # the lifecycle 1,500, the event store 400. Hostile input, failing services, erased entities and
    # monitoring took more; then labels of files, `ml debug`, reasons in demand and sessions, the
    # page for people, large files of bundles, and lately traces, prompts in MLflow and what is
    # logged of single test rows, fits on a cluster, predictions of folders and buckets, and rows
    # that are references to files. These limits hold what there is: lower them as the code shrinks.
    "core with history": Budget(7_482, aim=4_500),
    "core without history": Budget(6_306, aim=3_800),
    # 1,965 and 1,735, until a body could be a file with several instances, and a request traced.
    "core: serving with history": Budget(1_985, aim=1_350),
    "core: serving without history": Budget(1_752, aim=1_200),
    # 1,975, until a third use case had networks, with 71 lines that had counted for the others;
    # 2,020, until the prompt registry came; 2,070, until fits ran on a cluster and files were
    # predicted there.
    "core: lifecycle": Budget(2_585, aim=1_400),
    "core: state": Budget(490, aim=300),
    # 1,200, until skew, slices, the server's errors and labels of files came.
    "monitoring": Budget(1_255, aim=900),
    "checklist": Budget(1_556, aim=1_200),
    "use case: monitoring": Budget(160, aim=100),
    "use case: agent": Budget(600),
    # For those that have no row of their own; 1,175, until chunks and batches of files came.
    "use case": Budget(1_225),
    # 1,500, until good images alone, unusable pictures, a figure of costs and weights apart came;
    # 1,620, until images were in a file, and near-duplicates found by hashing.
    "use case inspection": Budget(1_850, aim=1_500),
    # 1,155, until reasons for each recommended item, and batches in files came; 1,170, until
    # baskets were in a file, and several processes trained one network.
    "use case sessions": Budget(1_385),
    # 1,175, until documents in four formats, words beside a language model, and weights apart came.
    "use case contracts": Budget(1_490, aim=1_175),
    # 1,700, until traces, a judge, answers in MLflow and embeddings in PostgreSQL came.
    "use case support": Budget(2_200),
    # 2,000, until lags, texts, monotone answers, weights of classes and two figures came; 2,495,
    # until batches were in files; 2,515, until workers shared a fit.
    "use case tabular": Budget(2_685, aim=2_000),
    # As the others, until workers shared a fit.
    "use case fraud": Budget(1_385, aim=1_225),
    "tests / source": Budget(1.4, aim=1.15),
    # Lines of docs for each line of code.
    "docs / code of source": Budget(0.18, at_least=True),
    # Per 1,000 statements: `a, b = x, y` saves lines, not reading.
    "parallel assignments of source": Budget(5),
    "parallel assignments of tests": Budget(5),
    # Files of any kind outside tests, `monitoring/` and `checklist/`; no empty __init__.py.
    # 118, until the page came with six files of HTML, CSS and JavaScript; 130, until images, the
    # system in containers and two workflows came; 145, until a cluster came.
    "core: files": Budget(153),
}
