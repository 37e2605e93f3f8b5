"""Train the miniature: `python -m workers.models.miniature.train {vae,scorer,flow,gan,all,export}`.

Every part goes on from its last checkpoint and stops when its planned steps are done, so the same command resumes what
was interrupted. The painter may start once the autoencoder is half done: its encoder is ready then.
"""

import argparse
import logging
import math
from pathlib import Path

import torch

from core.errors import StateError
from workers.models.device import device_of
from workers.models.miniature import flow, gan
from workers.models.miniature.flow import FlowTraining, paint, seeded_noise
from workers.models.miniature.gan import GanTraining
from workers.models.miniature.grids import sheet
from workers.models.miniature.pictures import Pictures, pictures
from workers.models.miniature.sample import ad_prompts
from workers.models.miniature.scorer import ScorerTraining
from workers.models.miniature.text import TextEncoder
from workers.models.miniature.vae import ENCODER_UNTIL, VaeTraining, decode, encode
from workers.models.miniature.weights import SHIPPED, export, steps_taken, trained_examples, trained_vae
from workers.models.training import Plan, Trainee, train

logger = logging.getLogger(__name__)

# In the order in which one needs the other.
STEPS = {"vae": 8000, "scorer": 3000, "flow": 3600, "gan": 4000}
# How often a sheet of pictures shows how far a training is.
SHEET_MINUTES = 12.0
SHEET_PICTURES = 40
# A GPU waits for its orders: so many times the batch take it no longer.
GPU_BATCHES = 8


def run(plans: dict[str, Plan], part: str, device: torch.device) -> bool:
    """Train one part as far as its plan allows, with a sheet of pictures now and then; tell whether it is done."""
    plan = plans[part]
    art = pictures(plan.folder)
    batches = 1 if device.type == "cpu" else GPU_BATCHES
    if part == "vae":
        return _train_with_sheets(VaeTraining(art, device, batches), plan, plans["vae"], art)
    if steps_taken(plans["vae"]) < plans["vae"].steps * ENCODER_UNTIL:
        raise StateError("the encoder is not ready: train `vae` at least to the half of its steps")
    learnt = trained_examples(plans["vae"], art, device)
    if part == "scorer":
        return train(ScorerTraining(learnt, device), plan)
    trainee: Trainee = (
        FlowTraining(learnt, batch=batches * flow.BATCH, device=device)
        if part == "flow"
        else GanTraining(learnt, batch=batches * gan.BATCH, device=device)
    )
    return _train_with_sheets(trainee, plan, plans["vae"], art)


def _train_with_sheets(trainee: Trainee, plan: Plan, vae_plan: Plan, art: Pictures) -> bool:
    minutes = plan.minutes
    is_done = False
    while minutes > 0 and not is_done:
        is_done = train(trainee, Plan(plan.folder, plan.name, plan.steps, min(minutes, SHEET_MINUTES)))
        minutes -= SHEET_MINUTES
        _show(trainee, plan, vae_plan, art)
    return is_done


@torch.no_grad()
def _show(trainee: Trainee, plan: Plan, vae_plan: Plan, art: Pictures) -> None:
    vae = trained_vae(vae_plan, art)
    captions = [""] * SHEET_PICTURES
    if isinstance(trainee, FlowTraining):
        captions = [prompt for prompt, _ in ad_prompts()]
        states, _ = TextEncoder().read([*captions, ""])
        device = trainee.device
        noise = seeded_noise(range(len(captions))).to(device)
        latents = paint(trainee.average, states[:-1].to(device), states[-1:].to(device), noise)
    elif isinstance(trainee, GanTraining):
        latents = trainee.average.sample(list(range(SHEET_PICTURES)))
    else:
        latents = encode(vae, art.pixels[:: len(art.pixels) // SHEET_PICTURES][:SHEET_PICTURES])
    path = plan.folder / f"{plan.name}-{steps_taken(plan):05}.png"
    sheet(decode(vae, latents), captions).save(path)
    logger.info("%s: see %s", plan.name, path)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train the starter image model.")
    parser.add_argument("part", choices=[*STEPS, "all", "export"])
    parser.add_argument("--cache", type=Path, default=Path(".cache/miniature"), help="data, checkpoints and sheets")
    parser.add_argument("--steps", type=int, help="planned steps of this part, instead of its own number")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, to be resumed later")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="where `export` and `all` write the weights")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(given.threads)
    parts = list(STEPS) if given.part == "all" else [part for part in STEPS if part == given.part]
    steps = STEPS | ({given.part: given.steps} if given.steps else {})
    plans = {name: Plan(given.cache, name, steps[name], given.minutes) for name in STEPS}
    device = device_of(given.device)
    is_done = all(run(plans, part, device) for part in parts)
    if given.part == "export" or (given.part == "all" and is_done):
        logger.info("exported: %s", export(plans, given.weights, device))


if __name__ == "__main__":
    main()
