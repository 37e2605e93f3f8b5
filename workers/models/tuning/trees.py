"""Lines of one brief packed into one sequence as a tree: the brief once, under it the ask of each channel, then lines.

Each line sees what is above it and not its sisters. The same numbers as one line a row, for a third of the time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from schemas.channels import channels
from schemas.jobs import Brief
from workers.models.prompts import STYLES, ask_text, prompt_of

# Three channels in all their styles.
BRANCHES = 15


@dataclass(frozen=True)
class Line:
    """One line with the brief, channel and style it was written for."""

    brief: Brief
    text: str


@dataclass(frozen=True)
class Pack:
    """One training sequence: ids, positions and attention of a tree, and which tokens count."""

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    # Token i + 1 is predicted from position i; a branch's first token follows its own ask, never a sister.
    sources: torch.Tensor
    targets: torch.Tensor
    # How many tokens of each line count, its end included, in the order of the lines.
    lengths: tuple[int, ...]


def pack(tokenizer: Any, lines: Sequence[Line]) -> Pack:
    """Return lines of one brief as one tree: the brief, below it the channels, below them styles and lines."""
    prefix = prompt_of(tokenizer, lines[0].brief, tells_revision=False).prefix
    tree = _Tree()
    trunk = tree.grow(prefix, parent=None)
    stems: dict[tuple[int, ...], int] = {}
    for line in lines:
        suffix = prompt_of(tokenizer, line.brief, tells_revision=False).suffix
        ask = suffix[: len(_ask_ids(tokenizer, line))]
        if ask not in stems:
            stems[ask] = tree.grow(ask, parent=trunk)
        answer = [*tokenizer(line.text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        tree.grow([*suffix[len(ask) :], *answer], parent=stems[ask], answer_length=len(answer))
    return tree.pack()


def packs_of(tokenizer: Any, lines: Iterable[Line]) -> list[tuple[list[int], Pack]]:
    """Return lines of any briefs as packs, each with the places that its lines have among the given ones."""
    trunks: dict[tuple[int, ...], list[tuple[int, Line]]] = {}
    for place, line in enumerate(lines):
        prefix = prompt_of(tokenizer, line.brief, tells_revision=False).prefix
        trunks.setdefault(prefix, []).append((place, line))
    parts = [some[start : start + BRANCHES] for some in trunks.values() for start in range(0, len(some), BRANCHES)]
    return [([place for place, _ in part], pack(tokenizer, [line for _, line in part])) for part in parts]


def log_probabilities(model: Any, packed: Pack) -> torch.Tensor:
    """Return the log probability of each counted token."""
    hidden = model.get_decoder()(
        input_ids=packed.ids.to(model.device),
        attention_mask=packed.mask.to(model.device, model.dtype),
        position_ids=packed.positions.to(model.device),
        use_cache=False,
    ).last_hidden_state
    logits = model.get_output_embeddings()(hidden[0, packed.sources.to(model.device)]).float()
    return -torch.nn.functional.cross_entropy(logits, packed.targets.to(model.device), reduction="none")


def sums_of_lines(model: Any, packed: Pack) -> torch.Tensor:
    """Return the log probability of each line of a pack, its end included."""
    parts = torch.split(log_probabilities(model, packed), list(packed.lengths))
    return torch.stack([part.sum() for part in parts])


def _ask_ids(tokenizer: Any, line: Line) -> list[int]:
    """Return the tokens of a suffix that all styles of a channel share: it ends with a full stop before the style."""
    ask = ask_text(channels()[line.brief.channel], line.brief.style, line.brief.locale)
    return list(tokenizer(ask[: ask.index(STYLES[line.brief.style]) - 1], add_special_tokens=False)["input_ids"])


class _Tree:
    """A sequence under construction: every token belongs to a node and sees its own node's past and all nodes above."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.nodes: list[int] = []
        self.sources: list[int] = []
        self.lengths: list[int] = []
        # For each node: itself and every node above, and the position behind its last token.
        self.lines_of_descent: list[set[int]] = []
        self.ends: list[int] = []

    def grow(self, ids: Sequence[int], parent: int | None, answer_length: int = 0) -> int:
        """Append a node; its last `answer_length` tokens are to be learnt."""
        node = len(self.ends)
        start = 0 if parent is None else self.ends[parent]
        self.ids += ids
        self.positions += range(start, start + len(ids))
        self.nodes += [node] * len(ids)
        self.sources += range(len(self.ids) - answer_length - 1, len(self.ids) - 1)
        self.lengths += [answer_length] if answer_length else []
        self.lines_of_descent.append({node} | (set() if parent is None else self.lines_of_descent[parent]))
        self.ends.append(start + len(ids))
        return node

    def pack(self) -> Pack:
        ids, nodes, sources = torch.tensor(self.ids), torch.tensor(self.nodes), torch.tensor(self.sources)
        sees = torch.zeros(len(self.ends), len(self.ends), dtype=torch.bool)
        for node, above in enumerate(self.lines_of_descent):
            sees[node, list(above)] = True
        visible = sees[nodes][:, nodes].tril()
        mask = torch.zeros(visible.shape, dtype=torch.bfloat16)
        return Pack(
            ids=ids[None],
            positions=torch.tensor([self.positions]),
            # (1, 1, T, T): 0 where a token may look, the lowest number elsewhere.
            mask=mask.masked_fill(~visible, torch.finfo(torch.bfloat16).min)[None, None],
            sources=sources,
            targets=ids[sources + 1],
            lengths=tuple(self.lengths),
        )
