import socket
from pathlib import Path

import pytest

from core.errors import ProvenanceError, SettingsError
from core.provenance import Validity, read, trust_anchors
from core.settings import Settings

from support.drawings import encoded, scene


def test_a_file_without_manifest_and_note_proves_nothing():
    found = read(encoded(scene(), "PNG"))

    assert found.validity == Validity.NONE
    assert found.evidence == "no C2PA manifest and no note; that does not say how it was made"
    assert (found.source, found.generator, found.model, found.signer) == ("", "", "", "")


def test_a_note_of_another_program_is_read_as_an_element_too():
    note = b"<x:xmpmeta><Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture<"
    note += b"/Iptc4xmpExt:DigitalSourceType><xmp:CreatorTool>Camera &amp; Co</xmp:CreatorTool></x:xmpmeta>"

    found = read(encoded(scene(), "JPEG") + note)

    assert (found.validity, found.source, found.generator) == (Validity.NONE, "digitalCapture", "Camera & Co")


def test_a_text_is_no_picture():
    with pytest.raises(ProvenanceError, match="no PNG, JPEG, WebP"):
        read(b"sku,name\n1,mug\n")


def test_a_cut_off_picture_is_invalid_and_no_error():
    data = encoded(scene(), "PNG")

    assert read(data[: len(data) // 2]).validity == Validity.INVALID


def test_what_a_file_points_to_is_never_fetched():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa".encode()
        note = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        note += b'<rdf:Description rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="'
        note += address + b'"/></rdf:RDF></x:xmpmeta>'
        segment = b"http://ns.adobe.com/xap/1.0/\0" + note
        data = encoded(scene(), "JPEG")

        found = read(data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:])

        assert found.validity == Validity.NONE
        with pytest.raises(TimeoutError):
            server.accept()


def test_anchors_that_are_no_certificates_are_a_setting_to_mend():
    with pytest.raises(SettingsError, match="FACTORY_PROVENANCE_CERTIFICATE"):
        read(encoded(scene(), "PNG"), "not a certificate")


def test_a_configured_certificate_that_is_gone_is_no_quiet_distrust(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"gone\.pem"):
        trust_anchors(Settings(home=tmp_path, provenance_certificate=tmp_path / "gone.pem"))


def test_a_factory_without_certificates_trusts_nobody(tmp_path: Path):
    assert trust_anchors(Settings(home=tmp_path)) == ""
