"""How a network learns to write music: the next word of a piece, with its running average, which is what gets used."""

import copy
import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812

from workers.models.device import quick_dtype
from workers.models.muon import optimizers
from workers.models.music.examples import Examples, batch_of, batches_of
from workers.models.music.networks import WIDTH, Architecture, new_network
from workers.models.music.tokens import ANY, PROMPT_WORDS
from workers.models.training import generator_at, warm_and_fall

BATCH_TOKENS = 4096
MUON_RATE = 1e-2
ADAM_RATE = 3e-3
MOST_AVERAGING = 0.995
# How often a condition is left open, so that the model can also choose.
LEFT_OPEN = 0.12
SEED = 11
IGNORED = -100


class MusicTraining:
    """The network under training, and its running average."""

    def __init__(
        self,
        examples: Examples,
        architecture: Architecture,
        device: torch.device,
        *,
        width: int = WIDTH,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        torch.manual_seed(SEED)
        self.examples = examples
        self.device = device
        self.batch_tokens = batch_tokens
        self.network = new_network(architecture, len(examples.vocabulary), width).to(device)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(requires_grad=False)
        # The matrices of a recurrent layer hold four gates each, which Muon would mix.
        self.muon, self.adam = optimizers(self.network, exclude=("embed", "words", "recurrent"))
        self.adam_rate = ADAM_RATE
        self.modules = {"network": self.network.core, "average": self.average.core}
        self.optimizers = {"muon": self.muon, "adam": self.adam}
        self._epoch = -1
        self._batches: list[list[int]] = []
        self._batches_an_epoch = len(batches_of(examples.seen, batch_tokens, generator_at(SEED, 0)))
        self._open = _open_words(examples.vocabulary)

    def learn(self, step: int, steps: int) -> Mapping[str, float]:
        """Take one step; return the loss a word."""
        # Dropout draws from the global generator.
        torch.manual_seed(SEED * 1_000_003 + step)
        self.network.train()
        ids = self._batch(step)
        loss, words = self._loss(self.network, ids)
        loss = loss / words
        self._step(loss, step, steps)
        return {"loss": float(loss.detach())}

    @torch.no_grad()
    def held_out_loss(self) -> float:
        """Return the loss a word, in nats, of the running average on tunes that it never saw."""
        rows = self.examples.held_out
        total, count = 0.0, 0
        for batch in batches_of(rows, self.batch_tokens, None):
            loss, words = self._loss(self.average, batch_of([rows[i] for i in batch]).to(self.device))
            total, count = total + float(loss), count + words
        return total / max(1, count)

    def _batch(self, step: int) -> torch.Tensor:
        """Return the batch of a step: each epoch has an order of its own, which follows from its number."""
        epoch, place = divmod(step, self._batches_an_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._batches = batches_of(self.examples.seen, self.batch_tokens, generator_at(SEED, epoch))
        # Jitter may make an epoch a batch shorter or longer than the first one.
        batch = self._batches[place % len(self._batches)]
        ids = batch_of([self.examples.seen[i] for i in batch])
        leave_open = torch.rand(len(ids), PROMPT_WORDS, generator=generator_at(SEED, step)) < LEFT_OPEN
        ids[:, :PROMPT_WORDS] = torch.where(leave_open, self._open[ids[:, :PROMPT_WORDS]], ids[:, :PROMPT_WORDS])
        return ids.to(self.device)

    def _loss(self, network: torch.nn.Module, ids: torch.Tensor) -> tuple[torch.Tensor, int]:
        dtype = quick_dtype(self.device)
        with torch.autocast(self.device.type, dtype=dtype, enabled=dtype != torch.float32):
            logits = network(ids[:, :-1])
        targets = ids[:, 1:].masked_fill(ids[:, 1:] == 0, IGNORED)
        # The conditions are given, nobody guesses them.
        targets[:, : PROMPT_WORDS - 1] = IGNORED
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
        return loss, int((targets != IGNORED).sum())

    def _step(self, loss: torch.Tensor, step: int, steps: int) -> None:
        part = warm_and_fall(step, steps)
        self.muon.param_groups[0]["lr"] = MUON_RATE * part
        self.adam.param_groups[0]["lr"] = self.adam_rate * part
        self.network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.muon.step()
        self.adam.step()
        averaging = min(MOST_AVERAGING, (1 + step) / (20 + step))
        with torch.no_grad():
            for mean, current in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(current, 1 - averaging)


def _open_words(vocabulary: Mapping[str, int]) -> torch.Tensor:
    """Return for each word what stands for it when its condition is left open."""
    open_words = torch.arange(len(vocabulary))
    for word, i in vocabulary.items():
        open_words[i] = vocabulary.get(f"{word.partition('_')[0]}_{ANY}", i)
    return open_words


def bits_a_note(loss: float, examples: Examples) -> float:
    """Return a held-out loss a word as bits a note, which can be compared between vocabularies."""
    notes = {i for word, i in examples.vocabulary.items() if ":" in word}
    words = sum(len(row) - PROMPT_WORDS for row in examples.held_out)
    played = sum(i in notes for row in examples.held_out for i in row)
    return loss * words / played / math.log(2)
