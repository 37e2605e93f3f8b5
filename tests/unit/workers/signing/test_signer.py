import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from PIL import Image

from core.errors import ProvenanceError, SettingsError
from core.provenance import Origin, Source, Validity, read, trust_anchors
from core.settings import Settings
from workers.signing.certificates import credentials
from workers.signing.picture_notes import note
from workers.signing.signer import MARK_BYTES, Ingredient, Signer

from support.drawings import encoded, mug, scene

FORMS = ("PNG", "JPEG", "WEBP")
ORIGIN = Origin(Source.GENERATED, 'miniature "2" & <more>', "ab12cd34")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def xmp_of(data: bytes) -> str:
    with Image.open(BytesIO(data)) as image:
        image.load()
        found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp", "")
    return found.decode() if isinstance(found, bytes) else found


def pixels_of(data: bytes) -> bytes:
    with Image.open(BytesIO(data)) as image:
        return image.convert("RGBA").tobytes()


@pytest.mark.parametrize("form", FORMS)
def test_a_marked_picture_says_what_made_it_to_those_who_know_the_signer(settings: Settings, form: str):
    marked = Signer(settings).mark(encoded(scene(), form), ORIGIN, "job-1")

    found = read(marked, trust_anchors(settings))

    assert found.validity == Validity.TRUSTED
    assert found.source == "trainedAlgorithmicMedia"
    assert found.model == 'miniature "2" & <more> ab12cd34'
    assert found.generator.startswith("content-factory ")
    assert found.made_at.endswith("Z")
    assert found.evidence.endswith("whom this factory trusts; nothing was changed since")


@pytest.mark.parametrize("form", FORMS)
def test_to_others_a_marked_picture_is_whole_and_its_signer_unknown(settings: Settings, tmp_path: Path, form: str):
    marked = Signer(settings).mark(encoded(scene(), form), ORIGIN)
    other = Settings(home=tmp_path / "other")
    Signer(other)

    assert read(marked).validity == Validity.VALID
    assert read(marked, trust_anchors(other)).validity == Validity.VALID


@pytest.mark.parametrize("form", FORMS)
def test_one_flipped_byte_of_the_picture_breaks_the_signature(settings: Settings, form: str):
    plain = encoded(scene(), form)
    marked = bytearray(Signer(settings).mark(plain, ORIGIN))
    # A byte of the pixels, wherever the manifest was put: the middle of the longest run both files share.
    middle = plain[len(plain) // 2 : len(plain) // 2 + 16]
    marked[marked.index(middle) + 8] ^= 1

    found = read(bytes(marked), trust_anchors(settings))

    assert found.validity == Validity.INVALID
    assert "assertion.dataHash.mismatch" in found.evidence


@pytest.mark.parametrize("form", FORMS)
def test_a_changed_note_breaks_the_signature(settings: Settings, form: str):
    marked = Signer(settings).mark(encoded(scene(), form), ORIGIN)

    found = read(marked.replace(b"trainedAlgorithmicMedia", b"digitalCaptureOfScenes!", 1), trust_anchors(settings))

    assert found.validity == Validity.INVALID


@pytest.mark.parametrize("form", FORMS)
def test_the_note_survives_the_signature_and_no_pixel_changes(settings: Settings, form: str):
    plain = encoded(scene(), form)

    marked = Signer(settings).mark(plain, ORIGIN)

    assert pixels_of(marked) == pixels_of(plain)
    assert 'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trained' in xmp_of(marked)
    assert "Made by a generative AI model." in xmp_of(marked)
    assert len(marked) - len(plain) < MARK_BYTES


def test_the_note_alone_tells_what_made_it_and_that_it_proves_nothing():
    found = read(note(encoded(scene(), "PNG"), ORIGIN))

    assert (found.validity, found.source, found.model) == (
        *(Validity.NONE, "trainedAlgorithmicMedia"),
        'miniature "2" & <more> ab12cd34',
    )
    assert "which anybody can write or change" in found.evidence


@pytest.mark.parametrize("form", FORMS)
def test_a_second_note_takes_the_place_of_the_first(form: str):
    noted = note(encoded(scene(), form), ORIGIN)

    assert note(noted, ORIGIN) == noted


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_a_subject_keeps_its_transparency(form: str):
    plain = encoded(mug(), form)

    assert pixels_of(note(plain, ORIGIN)) == pixels_of(plain)


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_picture_is_refused_in_a_sentence(settings: Settings, form: str):
    data = encoded(scene(), form)

    with pytest.raises(ProvenanceError):
        Signer(settings).mark(data[:20], ORIGIN)


def test_a_composed_picture_keeps_what_its_parts_say(settings: Settings):
    signer = Signer(settings)
    part = Ingredient(signer.mark(encoded(mug(), "PNG"), ORIGIN), "subject")

    creative = signer.mark(encoded(scene(), "JPEG"), Origin(Source.COMPOSED, "creative", "1"), "ad", [part])

    found = read(creative, trust_anchors(settings))
    assert (found.validity, found.source) == (Validity.TRUSTED, "compositeWithTrainedAlgorithmicMedia")
    assert creative.count(b"miniature") > 0


def test_threads_may_sign_with_one_signer(settings: Settings):
    signer, plain = Signer(settings), encoded(scene(), "PNG")

    with ThreadPoolExecutor(4) as pool:
        marked = list(pool.map(lambda number: signer.mark(plain, ORIGIN, f"job-{number}"), range(16)))

    assert {read(one, trust_anchors(settings)).validity for one in marked} == {Validity.TRUSTED}


def test_a_certificate_is_made_once_and_only_its_owner_can_read_it(settings: Settings):
    first = credentials(settings)

    again = credentials(settings)

    folder = settings.home / "provenance"
    assert again == first
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in settings.home.iterdir()] == ["provenance"]


def test_processes_that_make_a_certificate_at_once_take_the_same(settings: Settings):
    code = (
        "import sys, pathlib; from core.settings import Settings;"
        "from workers.signing.certificates import credentials;"
        "sys.stdin.readline();"
        "sys.stdout.write(credentials(Settings(home=pathlib.Path(sys.argv[1]))).chain.decode())"
    )
    command = [sys.executable, "-c", code, str(settings.home)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    chains = [process.communicate(timeout=60)[0] for process in processes]

    assert chains == [credentials(settings).chain.decode()] * 2
    assert [path.name for path in settings.home.iterdir()] == ["provenance"]


def test_no_key_is_ever_shown(settings: Settings):
    found = credentials(settings)

    assert b"PRIVATE KEY" in found.key
    assert "PRIVATE KEY" not in repr(found)


def configured(folder: Path, *, days: int = 10, key: ec.EllipticCurvePrivateKey | None = None) -> Settings:
    """Write a certificate, and the key to it or another one; return settings that name both."""
    own, name = ec.generate_private_key(ec.SECP384R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=20))
        .not_valid_after(now + timedelta(days=days))
        .sign(own, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "k.pem").write_bytes((key or own).private_bytes(*secret))
    return Settings(home=folder, provenance_certificate=folder / "c.pem", provenance_key=folder / "k.pem")


def test_a_configured_certificate_is_used_and_none_is_made(tmp_path: Path):
    settings = configured(tmp_path)

    found = credentials(settings)

    assert (found.algorithm, found.chain) == ("ES384", (tmp_path / "c.pem").read_bytes())
    assert not (tmp_path / "provenance").exists()


def test_a_configured_chain_is_trusted_where_it_is_configured(settings: Settings, tmp_path: Path):
    Signer(settings)
    made = (settings.home / "provenance").rename(tmp_path / "bought")
    chain, key = made / "certificate.pem", made / "key.pem"
    configured = Settings(home=tmp_path / "other", provenance_certificate=chain, provenance_key=key)

    marked = Signer(configured).mark(encoded(scene(), "PNG"), ORIGIN)

    assert read(marked, trust_anchors(configured)).validity == Validity.TRUSTED
    assert read(marked, trust_anchors(settings)).validity == Validity.VALID


def test_the_key_of_another_certificate_is_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match="is not the key of the first certificate"):
        credentials(configured(tmp_path, key=ec.generate_private_key(ec.SECP256R1())))


def test_an_ended_certificate_is_refused_with_its_day(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"ended on \d{4}-\d\d-\d\d"):
        credentials(configured(tmp_path, days=-1))


def test_a_certificate_without_its_key_is_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match="belong together"):
        credentials(Settings(home=tmp_path, provenance_certificate=tmp_path / "c.pem"))


def test_files_that_are_no_certificates_are_refused(tmp_path: Path):
    settings = configured(tmp_path)
    (tmp_path / "k.pem").write_text("nothing")

    with pytest.raises(SettingsError, match="must be PEM"):
        credentials(settings)


def test_a_lost_key_is_never_replaced_in_silence(settings: Settings):
    credentials(settings)
    (settings.home / "provenance" / "key.pem").unlink()

    with pytest.raises(SettingsError, match="move the whole folder away"):
        credentials(settings)


def test_a_certificate_that_c2pa_does_not_take_is_refused_when_it_signs(tmp_path: Path):
    with pytest.raises(ProvenanceError, match="cannot"):
        Signer(configured(tmp_path)).mark(encoded(scene(), "PNG"), ORIGIN)
