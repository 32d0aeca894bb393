"""Modbus Security: who is believed, who is turned away, and that one line says why."""

import asyncio
import ssl
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from scada.clock import LockstepClock
from scada.endpoint import parse_url
from scada.errors import Refused, ScadaError, Untrusted, WireError
from scada.plc.device import PlcServer
from scada.reader import DeviceSettings, Reader
from scada.sample import Sample
from scada.tag import Tag
from scada.tls import TlsSettings, client_context, server_context
from scada.transport import Connection

TAGS = [Tag("a", "d", "holding", 0, "float32"), Tag("b", "d", "holding", 2, "uint16")]


@dataclass(frozen=True)
class Pki:
    server: TlsSettings
    client: TlsSettings
    stranger: TlsSettings


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    folder = tmp_path_factory.mktemp("pki")
    ours, theirs = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(folder / "ca.pem")
    theirs.cert_pem.write_to_path(folder / "other.pem")
    for name, authority, identity in (
        ("server", ours, "127.0.0.1"),
        ("named", ours, "plc-7.example"),
        ("client", ours, "reader.example"),
        ("stranger", theirs, "reader.example"),
    ):
        issued = authority.issue_cert(identity)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    files = {name: (str(folder / f"{name}.pem"), str(folder / f"{name}.key")) for name in ("server", "client")}
    ca = str(folder / "ca.pem")
    return Pki(
        TlsSettings(ca, *files["server"]),
        TlsSettings(ca, *files["client"]),
        TlsSettings(ca, str(folder / "stranger.pem"), str(folder / "stranger.key")),
    )


def beside(settings: TlsSettings, name: str) -> str:
    return str(Path(settings.ca).with_name(name))


def read_with(server_tls: TlsSettings | None, client_tls: TlsSettings, newest: ssl.TLSVersion | None = None) -> float:
    async def run() -> float:
        server = PlcServer("127.0.0.1", 0, {1: TAGS}, tls=server_tls)
        if newest is not None and server._context is not None:
            server._context.maximum_version = newest
        await server.start()
        server.update({"a": 2.5, "b": 7.0})
        connection = Connection(parse_url(f"tls://127.0.0.1:{server.port}"), client_tls)
        try:
            words = await connection.read(1, "holding", 0, 3, 1.0)
            words = await connection.read(1, "holding", 0, 3, 1.0)
            return float(words[2])
        finally:
            connection.close()
            await server.stop()
            await asyncio.sleep(0.02)

    return asyncio.run(run())


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_sides_show_certificates(pki: Pki, newest: ssl.TLSVersion) -> None:
    assert read_with(pki.server, pki.client, newest) == 7.0


def test_server_without_authority_asks_for_none(pki: Pki) -> None:
    assert read_with(replace(pki.server, ca=""), TlsSettings(pki.client.ca)) == 7.0


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_missing_client_certificate_is_told(pki: Pki, newest: ssl.TLSVersion) -> None:
    """With TLS 1.3 the connection stands at first; the failure comes with the first read."""
    with pytest.raises(Untrusted, match="client certificate") as caught:
        read_with(pki.server, TlsSettings(pki.client.ca), newest)
    assert caught.value.reason == "tls"
    assert "\n" not in str(caught.value)


def test_client_of_a_strange_authority_is_turned_away(pki: Pki) -> None:
    with pytest.raises((Untrusted, WireError)):
        read_with(pki.server, pki.stranger)


def test_server_is_checked_by_name_and_authority(pki: Pki) -> None:
    named = replace(pki.server, certificate=beside(pki.server, "named.pem"), key=beside(pki.server, "named.key"))
    with pytest.raises(Untrusted, match="IP address mismatch"):
        read_with(named, pki.client)
    assert read_with(named, replace(pki.client, server_name="plc-7.example")) == 7.0
    with pytest.raises(Untrusted, match="certificate is not accepted"):
        read_with(pki.server, replace(pki.client, ca=beside(pki.client, "other.pem")))
    with pytest.raises(Untrusted, match="certificate is not accepted"):
        read_with(pki.server, replace(pki.client, ca=""))  # no authority of this system


def test_plain_server_is_told(pki: Pki) -> None:
    with pytest.raises(Refused):
        read_with(None, pki.client)


def test_old_tls_is_refused(pki: Pki) -> None:
    assert client_context(pki.client).minimum_version == ssl.TLSVersion.TLSv1_2
    assert server_context(pki.server).minimum_version == ssl.TLSVersion.TLSv1_2
    assert client_context(pki.client).verify_mode == ssl.CERT_REQUIRED
    assert client_context(pki.client).check_hostname


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"ca": "none.pem"}, "tls_ca none.pem: no such file"),
        ({"ca": "client.key"}, "is no usable PEM file"),
        ({"certificate": "none.pem"}, "tls_certificate none.pem: no such file"),
        ({"key": "server.key"}, "does not match its private key"),
        ({"certificate": ""}, "stands without its certificate"),
        ({"key": "locked.key"}, "is encrypted"),
    ],
)
def test_settings_that_cannot_be_used_are_told(
    pki: Pki, change: dict[str, str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryptography.hazmat.primitives import serialization

    monkeypatch.chdir(Path(pki.client.ca).parent)
    key = serialization.load_pem_private_key(Path("client.key").read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"secret")
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    Path("locked.key").write_bytes(key.private_bytes(*kinds, encryption))
    with pytest.raises(ScadaError, match=text) as caught:
        client_context(replace(pki.client, **change))
    assert "\n" not in str(caught.value)


def test_plc_needs_a_certificate(pki: Pki) -> None:
    with pytest.raises(ScadaError, match="needs a certificate"):
        PlcServer("127.0.0.1", 0, {1: TAGS}, tls=TlsSettings(pki.server.ca))


def test_reason_is_in_samples_and_status_and_the_connection_is_held_off(pki: Pki) -> None:
    async def run() -> tuple[list[Sample], Reader]:
        server = PlcServer("127.0.0.1", 0, {1: TAGS, 2: [Tag("c", "e", "input", 0, "int16")]}, tls=pki.server)
        await server.start()
        url, tls = f"tls://127.0.0.1:{server.port}", TlsSettings(pki.client.ca)
        devices = [DeviceSettings("d", url, tls=tls, reconnect_holdoff_s=500.0), DeviceSettings("e", url, 2, tls=tls)]
        samples: list[Sample] = []
        tags = [*TAGS, Tag("c", "e", "input", 0, "int16")]
        reader = Reader(devices, tags, LockstepClock(0), samples.extend)
        await reader.run(until_ms=3 * 60_000)
        await server.stop()
        await asyncio.sleep(0.02)
        return samples, reader

    samples, reader = asyncio.run(run())
    assert {sample.reason for sample in samples} == {"tls"}
    assert "client certificate" in reader.status["d"].last_error
    assert sum(status.requests for status in reader.status.values()) <= 6
