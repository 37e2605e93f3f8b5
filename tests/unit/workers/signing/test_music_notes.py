"""Every file of music says that a machine made it, signed or not."""

import io
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from core.errors import ProvenanceError
from core.provenance import Origin, Source, Validity, read, trust_anchors
from core.settings import Settings
from workers.models.music.encode import FORMATS, Tags, encoded, samples_of
from workers.signing.music_notes import note, noted_midi
from workers.signing.signer import Signer

ORIGIN = Origin(Source.GENERATED, 'composer "2" für <more>', "ab12")
EMBEDDED = ("wav", "mp3")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def recording(suffix: str) -> bytes:
    sound = np.random.default_rng(1).normal(0, 0.1, (48_000, 2)).astype(np.float32)
    return encoded(sound, suffix, Tags("A tune", "Northbeam", note(ORIGIN)))


def midi() -> bytes:
    file = mido.MidiFile()
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)]))
    data = io.BytesIO()
    file.save(file=data)
    return data.getvalue()


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_note_alone_tells_what_made_a_recording_and_that_it_proves_nothing(suffix: str):
    found = read(recording(suffix))

    assert (found.validity, found.source) == (Validity.NONE, "trainedAlgorithmicMedia")
    assert found.model == 'composer "2" für <more> ab12'
    assert found.generator.startswith("content-factory ")


@pytest.mark.parametrize("suffix", FORMATS)
def test_players_show_the_note_as_the_comment(suffix: str):
    with soundfile.SoundFile(io.BytesIO(recording(suffix))) as file:
        assert (file.title, file.artist) == ("A tune", "Northbeam")
        assert file.comment.startswith("Made by a generative AI model. DigitalSourceType=")


@pytest.mark.parametrize("suffix", EMBEDDED)
def test_a_signed_recording_is_trusted_and_plays_the_same(settings: Settings, suffix: str):
    plain = recording(suffix)

    signed = Signer(settings).sign(plain, ORIGIN, "A tune")

    found = read(signed, trust_anchors(settings))
    assert (found.validity, found.model) == (Validity.TRUSTED, 'composer "2" für <more> ab12')
    assert np.array_equal(samples_of(signed), samples_of(plain))
    assert b"DigitalSourceType" in signed


@pytest.mark.parametrize("suffix", EMBEDDED)
def test_a_changed_recording_is_invalid(settings: Settings, suffix: str):
    signed = bytearray(Signer(settings).sign(recording(suffix), ORIGIN))
    signed[-2000] ^= 1

    assert read(bytes(signed), trust_anchors(settings)).validity == Validity.INVALID


@pytest.mark.parametrize("data", [recording("ogg"), noted_midi(midi(), ORIGIN)], ids=["ogg", "midi"])
def test_what_holds_no_signature_has_it_beside(settings: Settings, data: bytes):
    sidecar = Signer(settings).sidecar(data, ORIGIN, "A tune")

    assert read(data, trust_anchors(settings), sidecar).validity == Validity.TRUSTED
    assert read(data + b"x", trust_anchors(settings), sidecar).validity == Validity.INVALID
    assert read(data, trust_anchors(settings)).validity == Validity.NONE


def test_a_midi_file_begins_with_the_note():
    found = read(noted_midi(midi(), ORIGIN))

    assert (found.source, found.model) == ("trainedAlgorithmicMedia", 'composer "2" für <more> ab12')


def test_a_damaged_midi_file_is_refused_in_a_sentence():
    with pytest.raises(ProvenanceError, match="the MIDI file cannot be marked"):
        noted_midi(b"MThd", ORIGIN)
