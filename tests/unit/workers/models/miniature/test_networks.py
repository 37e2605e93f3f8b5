"""The networks: what goes in, what comes out, and what they learn in a few steps."""

import torch

from workers.models.miniature.examples import Examples
from workers.models.miniature.flow import FlowTraining, paint, seeded_noise
from workers.models.miniature.gan import Generator
from workers.models.miniature.pictures import Pictures
from workers.models.miniature.scorer import ScorerTraining
from workers.models.miniature.vae import VaeTraining, decode, encode, fold_whitening, new_vae, psnr

TINY = (32, 32, 32)


def random_pixels(count: int) -> torch.Tensor:
    return torch.randint(256, (count, 4, 128, 128), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)


def test_folding_makes_latents_white_and_changes_no_picture():
    torch.manual_seed(0)
    vae, pixels = new_vae().eval(), random_pixels(4)
    before = decode(vae, encode(vae, pixels)).float()

    fold_whitening(vae, pixels)

    latents = encode(vae, pixels)
    assert torch.allclose(latents.mean((0, 2, 3)), torch.zeros(8), atol=1e-3)
    assert torch.allclose(latents.std((0, 2, 3)), torch.ones(8), atol=1e-3)
    assert (decode(vae, latents).float() - before).abs().max() <= 1


def test_the_autoencoder_learns_and_leaves_its_encoder_alone_in_the_second_half():
    training = VaeTraining(Pictures(codes=("0", "1", "2"), pixels=random_pixels(3)))
    encoder = training.vae.encoder.conv_in.weight.detach().clone()
    decoder = training.vae.decoder.conv_in.weight.detach().clone()

    losses = training.learn(600, 1000)

    assert losses["adversary"] > 0
    assert torch.equal(training.vae.encoder.conv_in.weight, encoder)
    assert not torch.equal(training.vae.decoder.conv_in.weight, decoder)
    assert 0 < psnr(training.vae, training.pixels[:1]) < 20


def test_examples_are_drawn_with_a_caption_of_their_own(examples: Examples):
    concepts = torch.tensor([0, 1, 2, 3] * 50)

    latents, captions = examples.draw(concepts, torch.Generator().manual_seed(0))

    items = captions // 2
    assert torch.equal(examples.concept_of_item[items], concepts)
    assert latents.shape == (200, 8, 16, 16)
    # The second concept is shown as it is half of the time, and in its two other colours the other half.
    counts = torch.bincount(items[concepts == 1], minlength=6).tolist()
    assert counts[1] > counts[2] > 0 < counts[3] < counts[1]


def test_the_painter_learns_and_its_average_follows(examples: Examples):
    training = FlowTraining(examples, channels=TINY, batch=4)
    average = [param.clone() for param in training.average.parameters()]

    losses = [training.learn(step, 30)["loss"] for step in range(20)]

    assert sum(losses[-5:]) < sum(losses[:5])
    assert not all(torch.equal(one, other) for one, other in zip(average, training.average.parameters(), strict=True))


def test_a_step_whose_gradients_are_no_numbers_is_left_out(examples: Examples):
    training = FlowTraining(examples, channels=TINY, batch=4)
    before = [param.clone() for param in training.unet.parameters()]
    examples.latents[:] = float("inf")

    training.learn(0, 30)

    assert all(torch.equal(one, other) for one, other in zip(before, training.unet.parameters(), strict=True))


def test_painting_from_a_reference_without_noise_gives_it_back(examples: Examples):
    unet = FlowTraining(examples, channels=TINY).average
    reference = examples.latents[:2, 0].float()

    states, empty = examples.states[:2].float(), examples.states[-1:].float()
    painted = paint(unet, states, empty, seeded_noise([1, 2]), reference=reference, strength=0.0)

    assert torch.allclose(painted, reference)


def test_noise_depends_on_the_seed_alone():
    assert torch.equal(seeded_noise([7])[0], seeded_noise([3, 7, 5])[1])


def test_the_scorer_learns_which_caption_belongs_to_which_picture(examples: Examples):
    training = ScorerTraining(examples)

    losses = [training.learn(step, 60)["loss"] for step in range(60)]

    assert losses[-1] < losses[0] / 4


def test_the_generator_makes_latents_of_the_seed_alone():
    generator = Generator()

    assert torch.allclose(generator.sample([5]), generator.sample([4, 5])[1:], atol=1e-4)
    assert generator.sample([5]).shape == (1, 8, 16, 16)
