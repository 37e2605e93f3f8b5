"""Draw with the miniature: `factory models sample-starter image {text,between,gan,sheet} ... --out one.png`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch

from core.errors import FactoryError, StateError, UnknownIdError
from workers.models.miniature.flow import GUIDANCE, STEPS, paint, seeded_noise
from workers.models.miniature.grids import sheet
from workers.models.miniature.library import Match
from workers.models.miniature.vae import decode
from workers.models.miniature.weights import SHIPPED, Networks, networks


@dataclass(frozen=True)
class Drawing:
    """A picture (4, 128, 128) in bytes, how well it shows the prompt by the scorer, and the concept nearest to that."""

    pixels: torch.Tensor
    score: float
    match: Match


@torch.no_grad()
def latents_for(
    nets: Networks,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    strength: float | None = None,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
) -> torch.Tensor:
    """Return the latents of each prompt and seed; with a strength, from the nearest concept instead of pure noise."""
    states, _ = nets.encoder.read([*prompts, ""])
    reference = None
    if strength is not None:
        reference = nets.library.latents[[match.concept for match in nets.library.nearest(prompts, nets.encoder)]]
    return paint(
        nets.unet,
        states[:-1],
        states[-1:],
        seeded_noise(seeds),
        reference=reference,
        strength=1.0 if strength is None else strength,
        steps=steps,
        guidance=guidance,
    )


@torch.no_grad()
def draw(
    nets: Networks, prompts: Sequence[str], *, seed: int = 0, candidates: int = 1, strength: float | None = None
) -> list[Drawing]:
    """Return the best of several candidates for each prompt, by the scorer."""
    matches = nets.library.nearest(prompts, nets.encoder)
    aims = nets.scorer.of_texts(nets.encoder.read(prompts)[1])
    drawn = []
    for number, (prompt, aim, match) in enumerate(zip(prompts, aims, matches, strict=True)):
        seeds = [seed + 1000 * number + candidate for candidate in range(candidates)]
        latents = latents_for(nets, [prompt] * candidates, seeds, strength=strength)
        scores = nets.scorer.of_pictures(latents) @ aim
        best = int(scores.argmax())
        drawn.append(Drawing(decode(nets.vae, latents[best : best + 1])[0], float(scores[best]), match))
    return drawn


def between(nets: Networks, first: str, second: str, count: int = 8) -> torch.Tensor:
    """Return pictures on the way from one concept to another, through the space of the autoencoder."""
    start, end = (nets.library.latents[_concept(nets, name)] for name in (first, second))
    parts = torch.linspace(0, 1, count).view(-1, 1, 1, 1)
    return decode(nets.vae, (1 - parts) * start + parts * end)


def from_gan(nets: Networks, seeds: Sequence[int]) -> torch.Tensor:
    """Return what the generator makes of each seed; raises StateError where it was not trained."""
    if nets.generator is None:
        raise StateError("the GAN is not trained: run `factory models train-starter image gan`, then `... export`")
    return decode(nets.vae, nets.generator.sample(list(seeds)))


def _concept(nets: Networks, name: str) -> int:
    if name not in nets.library.names:
        nearest = nets.library.nearest([name], nets.encoder)[0].name
        raise UnknownIdError(f"there is no concept {name!r}: the nearest is {nearest!r}")
    return nets.library.names.index(name)


def ad_prompts() -> list[tuple[str, str]]:
    """Return prompts in the words of ads, each with the concept that should be seen."""
    text = resources.files("workers.models.miniature").joinpath("ad_prompts.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(prompt, name) for prompt, _, name in (line.partition(" | ") for line in lines)]


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(
        prog="factory models sample-starter image", description="Draw with the starter image model."
    )
    parser.add_argument("what", choices=["text", "between", "gan", "sheet"])
    parser.add_argument("prompts", nargs="*", help="prompts; for `between` the names of two concepts")
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=8, help="pictures of `between` and `gan`")
    parser.add_argument("--candidates", type=int, default=1, help="draw so many for each prompt, show the best")
    parser.add_argument("--strength", type=float, help="start from the nearest concept, with so much noise (0 to 1)")
    parser.add_argument("--out", type=Path, default=Path("miniature.png"))
    given = parser.parse_args()
    if given.what == "between" and len(given.prompts) != 2:
        parser.error("`between` wants the names of two concepts")
    try:
        _draw(given)
    except FactoryError as error:
        parser.exit(1, f"{error}\n")


def _draw(given: argparse.Namespace) -> None:
    nets = networks(given.weights)
    if given.what == "gan":
        pixels, captions = from_gan(nets, range(given.seed, given.seed + given.count)), [""] * given.count
    elif given.what == "between":
        pixels, captions = between(nets, given.prompts[0], given.prompts[1], given.count), [""] * given.count
    else:
        captions = given.prompts if given.what == "text" else [prompt for prompt, _ in ad_prompts()]
        drawn = draw(nets, captions, seed=given.seed, candidates=given.candidates, strength=given.strength)
        pixels = torch.stack([one.pixels for one in drawn])
    sheet(pixels, captions).save(given.out)


if __name__ == "__main__":
    main()
