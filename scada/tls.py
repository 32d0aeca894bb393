"""Modbus Security: TLS with certificates of both sides (MB-TCP-Security v36, port 802)."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from scada.errors import ScadaError

__all__ = ["TlsSettings", "client_context", "server_context"]


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Files of one side of a TLS connection.

    Attributes
    ----------
    ca : str
        File of the authorities that are believed, PEM; empty for those of the system. A server with one asks its
        clients for a certificate.
    certificate, key : str
        Files of our own certificate and its private key, PEM; empty for none. The key may lie in the certificate's
        file.
    server_name : str
        Name that the server's certificate has to bear; empty for the host of the URL.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    server_name: str = ""


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return what a reader needs to connect: the server is always checked, TLS 1.2 is the oldest taken.

    Raises
    ------
    ScadaError
        A file is missing or is not what it should be.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    if settings.ca:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # those of the settings, and no others
        _load("tls_ca", settings.ca, lambda: context.load_verify_locations(settings.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_own(context, settings)
    return context


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return what a simulated PLC needs to listen; with `ca` it turns clients without a certificate away.

    Raises
    ------
    ScadaError
        No certificate, or a file is missing or is not what it should be.
    """
    if not settings.certificate:
        raise ScadaError("a PLC that serves tls:// needs a certificate; set tls_certificate and tls_key under [plc]")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_own(context, settings)
    if settings.ca:
        _load("tls_ca", settings.ca, lambda: context.load_verify_locations(settings.ca))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load_own(context: ssl.SSLContext, settings: TlsSettings) -> None:
    if settings.key and not settings.certificate:
        raise ScadaError(f"tls_key {settings.key} stands without its certificate; set tls_certificate")
    if settings.certificate:
        _load(
            "tls_certificate",
            settings.certificate,
            lambda: context.load_cert_chain(settings.certificate, settings.key or None, _no_password),
        )


def _no_password() -> str:
    # without this OpenSSL would ask on the terminal
    raise ScadaError("encrypted")


def _load(key: str, path: str, load: Callable[[], None]) -> None:
    try:
        load()
    except ScadaError as error:
        raise ScadaError(f"{key} {path}: the private key is encrypted; store it without a pass phrase") from error
    except FileNotFoundError as error:
        raise ScadaError(f"{key} {path}: no such file, of it or of tls_key") from error
    except ssl.SSLError as error:
        what = "does not match its private key" if "MISMATCH" in str(error) else "is no usable PEM file"
        raise ScadaError(f"{key} {path}: {what}") from error
    except OSError as error:
        raise ScadaError(f"{key} {path}: {error.strerror}") from error
