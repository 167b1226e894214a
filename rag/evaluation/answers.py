"""How good answers are: the whole product over a data set's questions, and the plain way beside it. Joins the parts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rag.engine import Engine
from rag.evaluation import abstention, answer_measures, answers_eval, outcomes
from rag.evaluation.abstention import Point
from rag.evaluation.answer_measures import Beside, Group
from rag.evaluation.answers_eval import PlainWay, Told
from rag.evaluation.corpus import IndexedCorpus
from rag.evaluation.dataset import AskedData, JudgedQuestion
from rag.evaluation.ledger import Ledger, Run
from rag.evaluation.outcomes import Asked, Way
from rag.files import sha256_file


@dataclass(frozen=True, slots=True)
class Choice:
    """How many questions of each kind are asked, and how many of those in the plain way too; None for all, 0 for none."""

    each: int | None
    plain: int


@dataclass(frozen=True, slots=True)
class AnswerEvaluation:
    """The product over all questions and by language; `plain` beside it on those that were asked in both ways.

    `threshold` is the confidence under which it refused, `curve` what another one would do.
    """

    run: Run
    passages: int
    left_out: int
    threshold: float
    groups: tuple[Group, ...]
    curve: tuple[Point, ...]
    plain: tuple[Beside, ...]


def run_of(engine: Engine, corpus: Path, questions: Path) -> Run:
    """What the outcomes depend on. Raises WeightsError or PromptError."""
    made = engine.receipt("", "")
    parameters = asdict(made.parameters)
    digests = sha256_file(corpus), sha256_file(questions)
    return Run(*digests, made.version, made.embedder, made.judge, made.llm, made.prompts, parameters)


def evaluate(
    data: AskedData,
    corpus: IndexedCorpus,
    ledger: Ledger,
    choice: Choice,
    *,
    open_plain: Callable[[], PlainWay],
    told: Told = lambda _done, _total: None,
) -> AnswerEvaluation:
    """Ask what the ledger does not have, then measure. `told` hears how many of how many questions are done, way by way."""
    chosen = _chosen(data, choice.each)
    plainly = _chosen(data, min(choice.plain, choice.each or choice.plain))
    texts = {passage.id: passage.text for passage in data.passages}
    answers_eval.ask_all(chosen, corpus, ledger, told)
    phrases = corpus.engine.models.prompts.phrases
    answers_eval.ask_all_plainly(plainly, texts, ledger, open_plain=open_plain, phrases=phrases, told=told)
    answerable = {question.id for question in data.answerable}

    def asked(questions: Iterable[JudgedQuestion], way: Way) -> Sequence[Asked]:
        done = ledger.outcomes[way]
        return [Asked(one, one.id in answerable, outcomes.evidence_of(one, texts), done[one.id]) for one in questions]

    threshold = corpus.engine.settings.min_confidence
    product = asked(chosen, "rag")
    return AnswerEvaluation(
        run=ledger.run,
        passages=len(texts),
        left_out=data.left_out,
        threshold=threshold,
        groups=answer_measures.measure(product),
        curve=abstention.curve(product, threshold),
        plain=answer_measures.compare(asked(plainly, "plain"), asked(plainly, "rag")) if plainly else (),
    )


def _chosen(data: AskedData, each: int | None) -> list[JudgedQuestion]:
    """Both kinds mixed, so that a run that is stopped early has asked some of each."""
    kinds = answers_eval.sample(data.answerable, each), answers_eval.sample(data.unanswerable, each)
    return answers_eval.sample([question for kind in kinds for question in kind], None)
