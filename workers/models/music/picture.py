"""What a piece looks like, for people who judge many of them: piano roll above, waveform below, as PNG."""

import io

import numpy as np
from PIL import Image, ImageDraw

from core.music.pieces import METERS
from schemas.music import PICTURE_HEIGHT, PICTURE_WIDTH
from workers.models.music.checks import pitch_classes
from workers.models.music.master import RATE, Audio
from workers.models.music.midi import TICKS, Score

WIDTH, ROLL_HEIGHT, DRUMS_HEIGHT = PICTURE_WIDTH, 240, 40
WAVE_HEIGHT = PICTURE_HEIGHT - ROLL_HEIGHT - DRUMS_HEIGHT
BACKGROUND, LINES, WAVE = (17, 20, 28), (44, 50, 64), (110, 170, 255)
COLOURS = {
    "lead": (255, 170, 70),
    "second": (200, 120, 60),
    "chords": (80, 150, 220),
    "bass": (96, 180, 110),
    "pad": (130, 100, 180),
    "drums": (150, 150, 150),
}


def picture_of(score: Score | None, audio: Audio) -> bytes:
    """Return a picture of what is played, or where nobody wrote that down of what is heard, and of how it sounds."""
    image = Image.new("RGB", (WIDTH, ROLL_HEIGHT + DRUMS_HEIGHT + WAVE_HEIGHT), BACKGROUND)
    draw = ImageDraw.Draw(image)
    seconds = len(audio) / RATE
    if score:
        _draw_bars(draw, score, seconds)
        _draw_notes(draw, score, seconds)
    else:
        _draw_pitches(draw, audio)
    _draw_wave(draw, audio)
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    return data.getvalue()


def _draw_bars(draw: ImageDraw.ImageDraw, score: Score, seconds: float) -> None:
    ticks = METERS[score.meter].bar * TICKS
    for start in range(0, score.ticks + 1, ticks):
        x = score.seconds(start) / seconds * WIDTH
        draw.line([x, 0, x, ROLL_HEIGHT + DRUMS_HEIGHT], fill=LINES)


def _draw_notes(draw: ImageDraw.ImageDraw, score: Score, seconds: float) -> None:
    pitches = [strike.pitch for track in score.tracks if not track.is_drums for strike in track.strikes]
    lowest, highest = min(pitches) - 2, max(pitches) + 2
    # The lead is drawn last, above all others.
    for track in reversed(score.tracks):
        for strike in track.strikes:
            left = score.seconds(strike.start) / seconds * WIDTH
            right = max(left + 1, score.seconds(strike.start + strike.ticks) / seconds * WIDTH - 1)
            light = 0.35 + 0.65 * strike.velocity / 127
            colour = tuple(round(part * light) for part in COLOURS[track.name])
            if track.is_drums:
                y = ROLL_HEIGHT + DRUMS_HEIGHT - 3.0 - (strike.pitch % 12) * 3
                draw.rectangle([left, y - 1, left + 2, y + 1], fill=colour)
            else:
                y = ROLL_HEIGHT * (1 - (strike.pitch - lowest) / (highest - lowest))
                draw.rectangle([left, y - 1.5, right, y + 1.5], fill=colour)


def _draw_pitches(draw: ImageDraw.ImageDraw, audio: Audio) -> None:
    """Draw how strong each of the twelve pitch classes is, from C below to B above."""
    profile = pitch_classes(audio)
    width, height = WIDTH / len(profile), (ROLL_HEIGHT + DRUMS_HEIGHT) / 12
    for column, strengths in enumerate(profile):
        for pitch_class, strength in enumerate(strengths):
            colour = tuple(
                round(dark + (light - dark) * float(strength) ** 0.5)
                for dark, light in zip(BACKGROUND, COLOURS["lead"], strict=True)
            )
            bottom = (12 - pitch_class) * height
            draw.rectangle([column * width, bottom - height, (column + 1) * width, bottom], fill=colour)


def _draw_wave(draw: ImageDraw.ImageDraw, audio: Audio) -> None:
    loud = np.abs(audio).max(1)
    edges = np.linspace(0, len(loud), WIDTH + 1).astype(int)
    middle = ROLL_HEIGHT + DRUMS_HEIGHT + WAVE_HEIGHT / 2
    for x in range(WIDTH):
        height = float(loud[edges[x] : edges[x + 1]].max(initial=0)) * WAVE_HEIGHT / 2
        draw.line([x, middle - height, x, middle + height], fill=WAVE)
