"""The model is read when it is needed, and a bad file has one error."""

import random
from pathlib import Path

import pytest

from networks import Network, UnreadableNetwork, find, load

# WNTR's libraries warn at import
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")

_NET3 = find("net3")[1].read_bytes()


def _refusal(path: Path, data: bytes) -> UnreadableNetwork | None:
    """What WNTR has against the file; any exception but UnreadableNetwork goes through and fails the test."""
    path.write_bytes(data)
    network = load(path)
    try:
        network.model  # noqa: B018
    except UnreadableNetwork as error:
        return error
    return None


def test_model_is_read_at_first_use_and_once() -> None:
    network = load("net3")
    assert not network.is_modelled
    model = network.model
    assert network.is_modelled
    assert network.model is model
    assert (model.num_junctions, model.num_tanks, model.num_reservoirs, model.num_links) == (92, 3, 2, 119)


def test_absent_model_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "nonsense.inp"
    path.write_text("this is no INP", encoding="utf-8")
    network = load(path)  # an unread file is not an error yet
    assert not network.is_modelled
    with pytest.raises(UnreadableNetwork):
        network.model  # noqa: B018
    assert not network.is_modelled


@pytest.mark.parametrize("share", [0.01, 0.03, 0.06, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 0.95])
def test_truncated_inp_is_unreadable_or_read(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.inp"
    error = _refusal(path, _NET3[: int(share * len(_NET3))])
    # past the last section that WNTR needs a cut file may be read
    assert error is not None or share > 0.5 or load(path).model.num_nodes == 0


def test_inp_cut_among_its_pipes_is_unreadable(tmp_path: Path) -> None:
    cut = _NET3.index(b"[PIPES]") + 700
    path = tmp_path / "cut.inp"
    error = _refusal(path, _NET3[:cut])
    assert error is not None
    assert error.path == path
    assert str(path) in str(error)
    assert error.reason
    assert error.__cause__ is not None


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 256,
        b"\x7fELF" + random.Random(1).randbytes(4000),
        random.Random(2).randbytes(4000),
        b"[JUNCTIONS]\n a b c\n",
        b"[PIPES]\n p a b 100 200 100\n",
    ],
    ids=["zeros", "program", "random", "letters", "no nodes"],
)
def test_binary_or_broken_inp_is_unreadable(tmp_path: Path, data: bytes) -> None:
    assert _refusal(tmp_path / "bad.inp", data) is not None


@pytest.mark.parametrize("seed", range(12))
def test_damaged_inp_has_no_other_error(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(_NET3)
    for _ in range(6):
        data[chance.randrange(len(data))] = chance.randrange(32, 127)
    path = tmp_path / "damaged.inp"
    error = _refusal(path, bytes(data))
    if error is None:
        assert load(path).model.num_nodes > 0
    else:
        assert error.path == path
        assert "\n" not in error.reason.strip()


def test_vanished_file_is_unreadable(tmp_path: Path) -> None:
    network = Network("gone", tmp_path / "gone.inp")
    with pytest.raises(UnreadableNetwork, match=r"gone\.inp"):
        network.model  # noqa: B018
