"""Play with the starter, outside any campaign: `factory models sample-starter music --mood calm --out pieces`."""

import argparse
from pathlib import Path

from core.errors import FactoryError
from core.music.moods import MOODS, MusicBrief
from workers.models.decode import mixed_seed
from workers.models.device import device_of
from workers.models.music.compose import composer
from workers.models.music.encode import encoded
from workers.models.music.midi import midi_bytes
from workers.models.music.originality import Memory
from workers.models.music.picture import picture_of
from workers.models.music.produce import perform, write
from workers.models.music.tunes import tunes
from workers.models.music.weights import SHIPPED


def play(briefs: list[MusicBrief], seed: int, weights: Path, folder: Path) -> list[Path]:
    """Write a piece for each brief into a folder, as MP3, MIDI and picture; return the recordings."""
    loaded, memory = composer(weights, device_of("auto")), Memory(tunes())
    seeds = [mixed_seed(seed, number) for number in range(len(briefs))]
    written = write(loaded, memory, briefs, seeds)
    folder.mkdir(parents=True, exist_ok=True)
    recordings = []
    for number, (one, brief, own_seed) in enumerate(zip(written, briefs, seeds, strict=True), start=1):
        music = perform(one, brief, own_seed)
        name = f"{number:02}-{brief.mood}"
        recordings.append(folder / f"{name}.mp3")
        recordings[-1].write_bytes(encoded(music.audio, "mp3"))
        (folder / f"{name}.mid").write_bytes(midi_bytes(music.score))
        (folder / f"{name}.png").write_bytes(picture_of(music.score, music.audio))
    return recordings


def main() -> None:
    """Read the command line and play."""
    parser = argparse.ArgumentParser(
        prog="factory models sample-starter music", description="Play with the starter music model."
    )
    parser.add_argument("--mood", choices=[*MOODS, "all"], default="all")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--energy", type=int, choices=range(1, 6))
    parser.add_argument("--bpm", type=float, help="beats a minute")
    parser.add_argument("--meter")
    parser.add_argument("--key", help="such as D or 'F# minor'")
    parser.add_argument("--instruments", nargs="*", default=[])
    parser.add_argument("--loop", action="store_true", help="to be played round and round")
    parser.add_argument("--count", type=int, default=1, help="pieces of each mood")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--out", type=Path, default=Path("music"), help="folder")
    given = parser.parse_args()
    moods = list(MOODS) if given.mood == "all" else [given.mood]
    briefs = [
        MusicBrief(
            mood=mood,
            seconds=given.seconds,
            energy=given.energy,
            bpm=given.bpm,
            meter=given.meter,
            key=given.key,
            instruments=tuple(given.instruments),
            is_loop=given.loop,
        )
        for mood in moods
        for _ in range(given.count)
    ]
    try:
        play(briefs, given.seed, given.weights, given.out)
    except FactoryError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
