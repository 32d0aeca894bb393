"""The house's own rules: what is on the import path, what is packed, what no file may hold."""

import importlib
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("networks", "hydro", "models", "scada", "umanflow")


def _tracked() -> list[Path]:
    """Files under version control; without git, those beside this one that are no by-product."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=_ROOT, capture_output=True, check=True,
        ).stdout.decode()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git here")
    return [path for name in listed.split("\0") if name and (path := _ROOT / name).is_file()]


@pytest.mark.parametrize("name", _PACKAGES)
def test_package_is_ours(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__file__ is not None
    assert Path(package.__file__).resolve() == _ROOT / name / "__init__.py"


def _settings() -> dict[str, object]:
    with (_ROOT / "pyproject.toml").open("rb") as stream:
        found: dict[str, object] = tomllib.load(stream)
    return found


def test_every_package_folder_is_packed() -> None:
    include = _settings()["tool"]["setuptools"]["packages"]["find"]["include"]  # type: ignore[index]
    ours = [path for path in _tracked() if path.suffix == ".py" and path.relative_to(_ROOT).parts[0] in _PACKAGES]
    folders = {".".join(path.parent.relative_to(_ROOT).parts) for path in ours}
    assert folders >= set(_PACKAGES)
    assert [name for name in sorted(folders) if not any(fnmatch(name, pattern) for pattern in include)] == []
    # a folder without __init__.py would be left out in silence
    assert [name for name in sorted(folders) if not (_ROOT / name.replace(".", "/") / "__init__.py").is_file()] == []


def test_every_top_folder_of_code_is_known() -> None:
    tops = {path.relative_to(_ROOT).parts[0] for path in _tracked() if path.name == "__init__.py"}
    assert tops == {*_PACKAGES, "tests"}


def test_lint_contracts_and_types_cover_every_package() -> None:
    tool = _settings()["tool"]
    assert set(tool["importlinter"]["root_packages"]) == set(_PACKAGES)  # type: ignore[index]
    assert set(tool["mypy"]["packages"]) == set(_PACKAGES)  # type: ignore[index]
    assert set(tool["coverage"]["run"]["source"]) == set(_PACKAGES)  # type: ignore[index]


def test_only_one_tests_package() -> None:
    inits = [path for path in _tracked() if path.name == "__init__.py" and "tests" in path.relative_to(_ROOT).parts]
    assert inits == [_ROOT / "tests" / "__init__.py"]


# in pieces: this file is tracked too
_DOT = r"\."
_HOSTS = [
    _DOT.join(pieces)
    for pieces in (
        ("py" + "pi", "org"),
        ("python" + "hosted", "org"),
        ("registry", "npm" + "js"),
        ("registry", "yarn" + "pkg"),
        ("cra" + "tes", "io"),
        ("con" + "da", "anaconda", "org"),
        ("proxy", "go" + "lang", "org"),
        ("ruby" + "gems", "org"),
        ("repo1?", "ma" + "ven"),
    )
]
_PATHS = [r"/sim" + r"ple/?\s*$", "index" + r"[-_]url", "art" + "ifactory", "/rep" + "ository/py"]


def test_no_tracked_file_names_a_registry() -> None:
    forbidden = re.compile("|".join([*_HOSTS, *_PATHS]), re.IGNORECASE | re.MULTILINE)
    assert forbidden.search("see " + "https://py" + "pi." + "org/project")  # the pattern itself works
    found = []
    for path in _tracked():
        text = path.read_bytes().decode("utf-8", "ignore")
        if match := forbidden.search(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path.relative_to(_ROOT)}:{line}: {match.group()}")
    assert found == []
