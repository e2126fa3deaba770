"""Certificates for tests, made in memory: an authority, and what it signs for servers and clients."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority", "Pair"]


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path

    def replace_with(self, other: Pair) -> None:
        """Give these files the content of others, each replaced in one step."""
        for mine, theirs in ((self.certificate, other.certificate), (self.key, other.key)):
            beside = mine.with_suffix(".new")
            beside.write_bytes(theirs.read_bytes())
            beside.replace(mine)


class Authority:
    """Signs certificates; its own is in ``path``."""

    def __init__(self, folder: Path, name: str = "Test CA") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(self._name, self._name, self._key.public_key(), datetime.now(UTC) - timedelta(days=30), timedelta(days=90))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_SIGNS, critical=True)
        certificate = builder.add_extension(_key_id(self._key), critical=False).sign(self._key, hashes.SHA256())
        self.path = folder / f"{name.replace(' ', '-')}.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._made = 0

    def server(
        self, *names: str, begins: datetime | None = None, lasts: timedelta = timedelta(days=30), passphrase: bytes | None = None
    ) -> Pair:
        """Return a certificate for DNS names and addresses."""
        return self._pair(names[0], names, ExtendedKeyUsageOID.SERVER_AUTH, begins, lasts, passphrase)

    def client(self, common_name: str, *names: str, begins: datetime | None = None, lasts: timedelta = timedelta(days=30)) -> Pair:
        """Return a certificate for a client: its common name, then names by form (URI with ``:``, mail with ``@``, else DNS)."""
        return self._pair(common_name, names, ExtendedKeyUsageOID.CLIENT_AUTH, begins, lasts, None)

    def trusting(self, client: Pair | None = None) -> ssl.SSLContext:
        """Return the context of a client that trusts this authority, and shows a certificate if it has one."""
        context = ssl.create_default_context(cafile=self.path)
        if client is not None:
            context.load_cert_chain(client.certificate, client.key)
        return context

    def _pair(
        self,
        common_name: str,
        names: tuple[str, ...],
        usage: x509.ObjectIdentifier,
        begins: datetime | None,
        lasts: timedelta,
        passphrase: bytes | None,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = _builder(subject, self._name, key.public_key(), begins or datetime.now(UTC) - timedelta(hours=1), lasts)
        # Python 3.13 looks for these by itself.
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        for extension in (x509.ExtendedKeyUsage([usage]), _key_id(key), issued_by):
            builder = builder.add_extension(extension, critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        self._made += 1
        pair = Pair(self._folder / f"{self._made}-{self.path.stem}.crt", self._folder / f"{self._made}-{self.path.stem}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
        return pair


_SIGNS = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _key_id(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + lasts)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if ":" in name:
        return x509.UniformResourceIdentifier(name)
    return x509.RFC822Name(name) if "@" in name else x509.DNSName(name)
