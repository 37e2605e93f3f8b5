"""The copy family, whole: any causal language model writes candidates for a line; checked and ranked, best first.

Beside what a small model writes stand lines in the brief's own words.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, Self

import torch

from schemas.channels import ChannelSpec, Shape, channels
from schemas.jobs import Brief, Job
from workers.checks.awkward import awkwardness
from workers.checks.copy import check, repair
from workers.models.brief_guard import BriefGuard, pieces_of
from workers.models.decode import Decoder, Draft, Guard, Order, mixed_seed
from workers.models.own_words import named, own_words_of
from workers.models.prompts import Prompt, prompt_of
from workers.models.protocol import NO_PARTS, Parts, Sample
from workers.models.tuning.preferences import fluencies, mean_log_p
from workers.models.tuning.trees import Line
from workers.models.verifier import Verifier, hidden_of

# Many short drafts cost what few long ones do; the long ones pass their checks less often but can be shortened.
CANDIDATES = {Shape.SHORT: 4, Shape.MEDIUM: 4, Shape.LONG: 3}
# How often a row of the first attempt begins while its job has fewer fit lines than WANTED: one line may be a
# near-duplicate of what its campaign holds. Later attempts, for what that did not serve, try more lines once.
TRIES = {Shape.SHORT: 3, Shape.MEDIUM: 3, Shape.LONG: 2}
WANTED = 2
# English takes 4.5 characters a token; a line is given up when it is less likely than a fluent one of its full length.
CHARACTERS_A_TOKEN = 4
# Briefs whose verdicts on beginnings are kept: those of a few batches.
KEPT_GUARDS = 128
# What failed its checks comes last, whatever the model thinks of it.
FAILED_PENALTY = 1000.0
CONTENT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Taste:
    """How a model writes: temperature of each attempt, and the least merit of a line, by its shape.

    A verifier speaks for and against lines of the `verified` shapes: while such a line is written it is given up only
    when it is less fluent than its floor by more than `slack`. A small model is kept on its brief token by token, a
    large one is only judged.
    """

    temperatures: tuple[float, ...]
    floors: Mapping[Shape, float]
    slack: float = 0.0
    verified: frozenset[Shape] = frozenset()
    is_guarded: bool = False
    # The merit that a line in the brief's own words counts for; without one there are none of them.
    own_words: Mapping[Shape, float] = field(default_factory=dict)

    def temperature(self, attempt: int) -> float:
        """Return the temperature of an attempt; later ones are warmer, to find what the first did not."""
        return self.temperatures[min(attempt, len(self.temperatures)) - 1]


# Read line by line: what the house model itself finds unlikely is seldom good (docs/decisions/0004-copy-quality.md).
HOUSE_FLOORS = {Shape.SHORT: -1.7, Shape.MEDIUM: -1.7, Shape.LONG: -1.5}
# Judged lines are short or of medium length: a long text is held to what it was held to, and not verified.
VERIFIED_FLOORS = {**HOUSE_FLOORS, Shape.SHORT: -0.6, Shape.MEDIUM: 0.0}
# Lines in the brief's own words are fit more often than what the house model writes, but for what is best of it.
OWN_WORDS = {Shape.SHORT: 2.0, Shape.MEDIUM: 1.5}
# Beside them nothing is needed of which a third is fit: of 30 short lines up to 1.5 readers found 8 fit and 5 false, of
# 34 texts above 0.8 they found 24 and 2.
FLOORS_BESIDE_OWN_WORDS = {**HOUSE_FLOORS, Shape.SHORT: 2.0, Shape.MEDIUM: 0.8}
HOUSE_TASTE = Taste(temperatures=(0.7, 0.8, 0.9), floors=HOUSE_FLOORS, is_guarded=True)
# With a verifier, which may speak for a line that is less fluent.
VERIFIED_TASTE = replace(
    HOUSE_TASTE,
    floors=VERIFIED_FLOORS,
    slack=2.0,
    verified=frozenset({Shape.SHORT, Shape.MEDIUM}),
)
TASTE_BESIDE_OWN_WORDS = replace(VERIFIED_TASTE, floors=FLOORS_BESIDE_OWN_WORDS, own_words=OWN_WORDS)
# Larger models are fluent, and each has a scale of its own.
OTHER_TASTE = Taste(temperatures=(0.7, 0.85, 1.0), floors=dict.fromkeys(Shape, -math.inf))


class Source(StrEnum):
    """Whose words a line has."""

    MODEL = "model"
    BRIEF = "brief"


@dataclass(frozen=True)
class _Candidate:
    """A finished line with what speaks for it: its draft's fluency, what is verified of it, less what is awkward."""

    text: str
    fluency: float
    verified: float
    merit: float
    passed: bool
    source: Source = Source.MODEL

    @property
    def score(self) -> float:
        return self.merit - (0.0 if self.passed else FAILED_PENALTY)


@dataclass(frozen=True)
class Lexicon:
    """A tokenizer, and what is read out of it once: token rules, and the text of every token."""

    tokenizer: Any
    rules: Mapping[str, list[int]]
    pieces: Sequence[str]

    @classmethod
    def of(cls, tokenizer: Any, model: Any) -> Self:
        """Read all tokens: that takes a second."""
        return cls(tokenizer, _token_rules(model, tokenizer), pieces_of(tokenizer))


class CopyModel:
    """A loaded language model that writes ad copy. One call at a time."""

    def __init__(
        self, model: Any, lexicon: Lexicon, version: str, taste: Taste, verifier: Verifier | None = None
    ) -> None:
        self.version = version
        self._taste = taste
        self.device = str(model.device)
        self._model, self._tokenizer = model, lexicon.tokenizer
        self._dtype = str(model.dtype).removeprefix("torch.")
        self._context = _context_tokens(model.config)
        self._decoder = Decoder(model, **lexicon.rules, verifier=verifier)
        self._guards = lru_cache(maxsize=KEPT_GUARDS)(
            lambda brief: BriefGuard(brief, lexicon.pieces, self._decoder.stops)
        )

    def generate(self, jobs: Sequence[Job], attempt: int, _parts: Parts = NO_PARTS, /) -> list[list[Sample]]:
        """Return the candidates of each job, best first, in the order of the jobs; failing ones last."""
        tells = not self._taste.is_guarded
        prompts = [prompt_of(self._tokenizer, job.brief, tells_revision=tells) for job in jobs]
        owns = [self._in_own_words(job) for job in jobs]
        orders = [
            # Earlier variants take one each.
            self._order(job, prompt, attempt, max(len(own) - job.variant, 0))
            for job, prompt, own in zip(jobs, prompts, owns, strict=True)
        ]
        drafts = self._decoder.write(orders)
        return [
            self._samples(job, order, self._candidates(job.brief, [*own, *self._written(job, some, order)]), attempt)
            for job, order, some, own in zip(jobs, orders, drafts, owns, strict=True)
        ]

    def fluencies(self, lines: Sequence[Line]) -> list[float]:
        """Return how sure the model is of given lines, in the units of a line's merit."""
        return fluencies(self._model, self._tokenizer, lines)

    def hidden_of(self, lines: Sequence[Line], layers: Sequence[int]) -> torch.Tensor:
        """Return what layers hold of given lines, which is what a verifier is fitted to."""
        return hidden_of(self._model, self._tokenizer, lines, layers)

    def mean_log_p(self, lines: Sequence[Line]) -> float:
        """Return the mean log probability of a token of given lines."""
        return mean_log_p(self._model, self._tokenizer, lines)

    def _order(self, job: Job, prompt: Prompt, attempt: int, found: int) -> Order:
        spec = channels()[job.brief.channel]
        max_tokens = tokens_for(spec)
        # A brief longer than the model can read loses its beginning least: the ask comes last and stays whole.
        room = max(self._context - len(prompt.suffix) - max_tokens, 1)
        return Order(
            prefix=prompt.prefix[:room],
            suffix=prompt.suffix,
            candidates=CANDIDATES[spec.shape] * min(attempt, 2),
            max_tokens=max_tokens,
            temperature=self._taste.temperature(attempt),
            seed=mixed_seed(job.seed, attempt),
            guard=self._guard(job.brief),
            # What a line of so many tokens may not be worse than; few are longer.
            least_log_p=self._least_fluency(job.brief) * math.sqrt(spec.max_characters / CHARACTERS_A_TOKEN + 1),
            accepts=lambda draft: self._is_fit(draft, job.brief),
            wanted=max(WANTED - found, 0),
            tries=TRIES[spec.shape] if attempt == 1 else 1,
        )

    def _guard(self, brief: Brief) -> Guard | None:
        """Return what keeps drafts from beginnings that the checks refuse."""
        return self._guards(brief) if self._is_guarded(brief) else None

    def _is_guarded(self, brief: Brief) -> bool:
        """Tell whether lines are kept on their brief; the rules for that know English only."""
        return self._taste.is_guarded and brief.locale.startswith("en")

    def _in_own_words(self, job: Job) -> list[_Candidate]:
        """Return the lines in the brief's own words, each variant and audience beginning with another."""
        merit = self._taste.own_words.get(channels()[job.brief.channel].shape)
        if merit is None:
            return []
        turn = job.variant + zlib.crc32(job.brief.audience.id.encode())
        return [
            _Candidate(line, 0.0, 0.0, merit, passed=True, source=Source.BRIEF)
            for line in own_words_of(job.brief, turn)
        ]

    def _written(self, job: Job, drafts: Sequence[Draft], order: Order) -> list[_Candidate]:
        """Return what the model wrote to its end: where the guard left no way on, there is no line to judge."""
        whole = (draft for draft in drafts if draft.is_finished or len(draft.tokens) >= order.max_tokens)
        return [self._candidate(draft, job.brief) for draft in whole]

    def _samples(self, job: Job, order: Order, candidates: Sequence[_Candidate], attempt: int) -> list[Sample]:
        recipe = {
            "prompt": self._tokenizer.decode([*order.prefix, *order.suffix]),
            "style": job.brief.style,
            "seed": job.seed,
            "attempt": attempt,
            "temperature": order.temperature,
            "candidates": order.candidates,
            "dtype": self._dtype,
        }
        return [
            Sample(
                data=candidate.text.encode(),
                content_type=CONTENT_TYPE,
                score=candidate.score,
                recipe={
                    **recipe,
                    "words": candidate.source,
                    "fluency": candidate.fluency,
                    "verified": candidate.verified,
                },
            )
            for candidate in candidates
        ]

    def _candidates(self, brief: Brief, found: Sequence[_Candidate]) -> list[_Candidate]:
        """Return each different line once, with its greatest merit, best first.

        A line that passes its checks but that the model doubts is not offered at all; so there may be none.
        """
        lines: dict[str, _Candidate] = {}
        for one in sorted(found, key=lambda one: one.score, reverse=True):
            lines.setdefault(one.text, one)
        return [one for one in lines.values() if not one.passed or one.merit >= self._floor(brief)]

    def _floor(self, brief: Brief) -> float:
        return self._taste.floors[channels()[brief.channel].shape]

    def _least_fluency(self, brief: Brief) -> float:
        return self._floor(brief) - (self._taste.slack if self._is_verified(brief) else 0.0)

    def _is_verified(self, brief: Brief) -> bool:
        return channels()[brief.channel].shape in self._taste.verified

    def _candidate(self, draft: Draft, brief: Brief) -> _Candidate:
        text = self._tokenizer.decode(draft.tokens, skip_special_tokens=True)
        # A line that was cut off says so, and fails its check as incomplete.
        line = self._named(repair(text if draft.is_finished else f"{text}…", brief), brief)
        own, verified = fluency(draft), draft.verified if self._is_verified(brief) else 0.0
        return _Candidate(line, own, verified, own + verified - awkwardness(line, brief), _passes(line, brief))

    def _named(self, line: str, brief: Brief) -> str:
        """Return a text of a small model under the product's name, unless it has it or there is no room for it."""
        spec = channels()[brief.channel]
        if not line or spec.shape is not Shape.MEDIUM or not self._is_guarded(brief):
            return line
        longer = named(line, brief.product)
        return longer if len(longer) <= spec.max_characters and _passes(longer, brief) else line

    def _is_fit(self, draft: Draft, brief: Brief) -> bool:
        # What costs least is asked first.
        if fluency(draft) < self._least_fluency(brief):
            return False
        one = self._candidate(draft, brief)
        return one.passed and one.merit >= self._floor(brief)


def fluency(draft: Draft) -> float:
    """Return how sure the model is of a draft: nats, at most 0. A long line has more places to go wrong.

    Of 402 judged lines, fitness correlates 0.41 with this, 0.26 with the mean alone and 0.39 with the sum.
    """
    return draft.mean_log_p * math.sqrt(len(draft.tokens) + 1)


def _passes(text: str, brief: Brief) -> bool:
    return all(result.passed for result in check(text, brief))


def tokens_for(spec: ChannelSpec) -> int:
    """Return how many tokens a line of this channel may take; one that needs more is too long anyway."""
    return math.ceil(spec.max_characters / 3) + 4


def _context_tokens(config: Any) -> int:
    return int(getattr(config.get_text_config(), "max_position_embeddings", None) or 2048)


def _token_rules(model: Any, tokenizer: Any) -> dict[str, list[int]]:
    """Return which tokens end a line, which are never written, and which break the line."""
    ends = {tokenizer.eos_token_id}
    configured = model.generation_config.eos_token_id if model.generation_config else None
    ends |= set(configured) if isinstance(configured, list) else {configured}
    stops = sorted(end for end in ends if end is not None)
    size = model.config.get_text_config().vocab_size
    bans = sorted(set(tokenizer.all_special_ids) - set(stops)) + list(range(len(tokenizer), size))
    texts = tokenizer.batch_decode([[i] for i in range(min(len(tokenizer), size))])
    newlines = [i for i, text in enumerate(texts) if "\n" in text and i not in stops]
    return {"stops": stops, "bans": bans, "newlines": newlines}
