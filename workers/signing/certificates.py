"""The certificate that signs pictures: the configured one, or one that the factory makes for itself on first use.

The factory's own authority signs once and its key is thrown away, so nobody can issue anything in its name later.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core.errors import SettingsError
from core.provenance import own_folder
from core.settings import Settings

# Without a timestamp service a signature is worth as much as its certificate is today, so these live long.
SIGNER_DAYS = 3650
AUTHORITY_DAYS = 7300
# Clocks of machines differ.
BEFORE_NOW = timedelta(minutes=5)
ORGANIZATION = "Content Factory, self-made"
NO_USE = dict.fromkeys(
    (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    ),
    False,
)
_ALGORITHMS_OF_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


@dataclass(frozen=True)
class Credentials:
    """What signs: the chain, signer first, and its private key, which is never shown."""

    chain: bytes
    key: bytes = field(repr=False)
    algorithm: str


def credentials(settings: Settings) -> Credentials:
    """Return the configured certificate and key, or the factory's own, which are made when they are not there."""
    paths = (settings.provenance_certificate, settings.provenance_key)
    certificate, key = paths
    if certificate and key:
        return _load(certificate, key)
    if certificate or key:
        raise SettingsError(
            "FACTORY_PROVENANCE_CERTIFICATE and FACTORY_PROVENANCE_KEY belong together: set both or none"
        )
    folder = own_folder(settings)
    _ensure(folder)
    return _load(folder / "certificate.pem", folder / "key.pem")


def _load(certificate: Path, key_file: Path) -> Credentials:
    try:
        chain, secret = certificate.read_bytes(), key_file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"the certificate for provenance cannot be read: {error.filename}: {error.strerror}; "
            "to have a new one made, move the whole folder away"
        ) from error
    try:
        signer = x509.load_pem_x509_certificates(chain)[0]
        key = load_pem_private_key(secret, password=None)
    except (ValueError, TypeError) as error:
        # What cryptography says of a key holds nothing of the key.
        raise SettingsError(
            f"{certificate} and {key_file} must be PEM, the key without a password ({error})"
        ) from error
    public = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if signer.public_key().public_bytes(*public) != key.public_key().public_bytes(*public):
        raise SettingsError(f"{key_file} is not the key of the first certificate in {certificate}")
    if signer.not_valid_after_utc < datetime.now(UTC):
        raise SettingsError(f"{certificate} ended on {signer.not_valid_after_utc:%Y-%m-%d}: put a new one in its place")
    return Credentials(chain, secret, _algorithm(key, key_file))


def _algorithm(key: object, key_file: Path) -> str:
    """Return the C2PA name of the algorithm that fits a key."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _ALGORITHMS_OF_CURVES:
        return _ALGORITHMS_OF_CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ED25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "PS256"
    raise SettingsError(f"{key_file}: C2PA signs with RSA, Ed25519 or the curves P-256, P-384 and P-521 only")


def _ensure(folder: Path) -> None:
    """Make the factory's certificate if there is none; of several processes that try at once, one wins for all."""
    if folder.exists():
        return
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".provenance-", dir=folder.parent))
        try:
            _write_new(draft)
            # A folder never replaces one that holds something: who comes second takes what the first has made.
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        if not folder.exists():
            raise SettingsError(f"cannot make a certificate in {folder}: {error.strerror}") from error


def _write_new(folder: Path) -> None:
    authority_key, signer_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _authority(authority_key)
    signer = _signer(signer_key.public_key(), authority, authority_key)
    _write(folder / "authority.pem", authority.public_bytes(Encoding.PEM))
    _write(folder / "certificate.pem", signer.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM))
    secret = signer_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(folder / "key.pem", secret)


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("authority")
    return (
        _builder(name, name, key.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**NO_USE | {"key_cert_sign": True, "crl_sign": True}), critical=True)
        .sign(key, hashes.SHA256())
    )


def _signer(
    public_key: ec.EllipticCurvePublicKey, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    # C2PA asks for exactly these: no authority, for signatures only, of the kind that signs mail.
    return (
        _builder(_name("signer"), authority.subject, public_key, SIGNER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**NO_USE | {"digital_signature": True}), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE_NOW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(role: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, f"content-factory {role}"),
        ]
    )
