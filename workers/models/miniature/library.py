"""Every concept as the miniature knows it: its latents to start from, and the words by which a prompt finds it.

A prompt is compared with every word of every concept. The cosine tells the caller how far the nearest concept is, so
that it can leave the picture away when nothing fits.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from workers.models.miniature.concepts import Concept, without_colours
from workers.models.miniature.text import TextEncoder

# A name that stands in the prompt letter by letter counts more than one that is only near, and a long one more still.
LITERAL = 0.2
LITERAL_WORD = 0.05
# 'A plant for the living room' shows the plant: what stands before the first of these is the subject.
SUBJECT = 0.1
_AFTER_THE_SUBJECT = re.compile(r"\b(?:for|with|in|from|on|after|at|by|over|under|that|of|to|and)\b")
# Measured on prompts of ads: those for a concept are above, those that nothing fits mostly below.
LEAST_COSINE = 0.5
# The same where the prompt has the word itself.
LEAST_COSINE_LITERAL = 0.45


@dataclass(frozen=True)
class Match:
    """The concept nearest to a prompt, by which of its words, and how near."""

    concept: int
    name: str
    word: str
    cosine: float
    is_literal: bool

    @property
    def fits(self) -> bool:
        """Tell whether the concept is near enough to be what was asked for."""
        return self.cosine >= (LEAST_COSINE_LITERAL if self.is_literal else LEAST_COSINE)


@dataclass(frozen=True)
class Library:
    """Names, latents (concepts, 8, 16, 16), and the words with their unit vectors and concepts."""

    names: tuple[str, ...]
    latents: torch.Tensor
    words: tuple[str, ...]
    vectors: torch.Tensor
    concept_of_word: torch.Tensor

    def nearest(self, prompts: Sequence[str], encoder: TextEncoder) -> list[Match]:
        """Return the nearest concept of each prompt; words for colours do not count."""
        plain = [" ".join(without_colours(re.findall(r"[\w'-]+", prompt.lower()))) for prompt in prompts]
        _, vectors = encoder.read(plain)
        return [self._nearest(prompt, vector) for prompt, vector in zip(plain, vectors, strict=True)]

    def _nearest(self, prompt: str, vector: torch.Tensor) -> Match:
        cosines = self.vectors @ vector
        literal = torch.tensor([_literal(word, prompt) for word in self.words])
        best = int((cosines + literal).argmax())
        concept = int(self.concept_of_word[best])
        return Match(concept, self.names[concept], self.words[best], float(cosines[best]), bool(literal[best] > 0))


def _literal(word: str, prompt: str) -> float:
    """Return what it is worth that the prompt has this word, in the singular or plural."""
    found = re.search(rf"\b{re.escape(word)}(s|es)?\b", prompt)
    if found is None:
        return 0.0
    is_subject = _AFTER_THE_SUBJECT.search(prompt[: found.start()]) is None
    return LITERAL + LITERAL_WORD * len(word.split()) + SUBJECT * is_subject


def new_library(every: Sequence[Concept], latents: torch.Tensor, encoder: TextEncoder) -> Library:
    """Return the library of these concepts and the latents of their pictures."""
    pairs = [(word, number) for number, concept in enumerate(every) for word in concept.every_word]
    words = tuple(word for word, _ in pairs)
    return Library(
        names=tuple(concept.name for concept in every),
        latents=latents,
        words=words,
        vectors=encoder.read(words)[1],
        concept_of_word=torch.tensor([number for _, number in pairs]),
    )


def save(library: Library, path: Path) -> None:
    """Write a library in half precision."""
    tensors = {
        "latents": library.latents.half().contiguous(),
        "vectors": library.vectors.half(),
        "concept_of_word": library.concept_of_word,
    }
    save_file(tensors, path, metadata={"names": json.dumps(library.names), "words": json.dumps(library.words)})


def load(path: Path) -> Library:
    """Read a library."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        return Library(
            names=tuple(json.loads(metadata["names"])),
            latents=file.get_tensor("latents").float(),
            words=tuple(json.loads(metadata["words"])),
            vectors=file.get_tensor("vectors").float(),
            concept_of_word=file.get_tensor("concept_of_word"),
        )
