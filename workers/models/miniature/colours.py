"""Hues: turn the colours of a picture, and say in a word which colour a picture has.

Hue is the angle in the chroma plane of YIQ; turning it keeps lightness, shading and white.
"""

import math

import torch

TO_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
FROM_YIQ = torch.linalg.inv(TO_YIQ)
NAMED = {
    "red": (220, 40, 40),
    "orange": (245, 140, 30),
    "yellow": (250, 205, 50),
    "green": (50, 170, 80),
    "teal": (30, 170, 170),
    "blue": (50, 110, 230),
    "purple": (130, 70, 200),
    "pink": (240, 110, 180),
}
# A picture has one hue when its chroma points mostly one way and there is enough of it.
LEAST_AGREEMENT = 0.75
LEAST_CHROMA = 0.15


def angle_of(name: str) -> float:
    """Return the hue of a named colour."""
    _, first, second = (TO_YIQ @ (torch.tensor(NAMED[name]) / 255.0)).tolist()
    return math.atan2(second, first)


def turn(pixels: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Return pictures (B, 4, H, W) in 0..1 with the hue of each turned by its angle."""
    cosines, sines = angles.cos(), angles.sin()
    turned = torch.zeros(len(angles), 3, 3, device=pixels.device)
    turned[:, 0, 0] = 1
    turned[:, 1, 1], turned[:, 1, 2] = cosines, -sines
    turned[:, 2, 1], turned[:, 2, 2] = sines, cosines
    maps = FROM_YIQ.to(pixels.device) @ turned @ TO_YIQ.to(pixels.device)
    colours = torch.einsum("bij,bjhw->bihw", maps, pixels[:, :3]).clamp(0, 1)
    return torch.cat([colours, pixels[:, 3:]], dim=1)


def hue_of(pixels: torch.Tensor) -> float | None:
    """Return the one hue of a picture (4, H, W) in 0..1, or nothing if it has several or none."""
    visible = pixels[:3, pixels[3] > 0.5]
    chroma = TO_YIQ[1:] @ visible
    strength = chroma.norm(dim=0)
    total = chroma.sum(dim=1)
    has_one = visible.shape[1] > 0 and strength.mean() > LEAST_CHROMA
    if not has_one or total.norm() / strength.sum() < LEAST_AGREEMENT:
        return None
    return math.atan2(float(total[1]), float(total[0]))


def name_of(angle: float) -> str:
    """Return the named colour nearest to a hue."""
    return min(NAMED, key=lambda name: abs(math.remainder(angle_of(name) - angle, math.tau)))
