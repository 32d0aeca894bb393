"""A PostgreSQL server of the tests' own, on a Unix socket in a temporary folder."""

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def binaries() -> Path | None:
    """Folder of initdb and pg_ctl, or None."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


class Server:
    """One server; it refuses to run as root, so root lends it another user."""

    def __init__(self, folder: Path) -> None:
        self._bin = folder
        # the socket's path must be short, and its folder open to the other user
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self._user:
            shutil.chown(self.folder, "postgres", "postgres")
        self._numbers = itertools.count()
        self._run("initdb", "-A", "trust", "-U", "umanflow", "-E", "UTF8", "--locale=C", "--no-sync", "-D", self._data)
        # the machine does not lose its power in a test
        (self._data / "postgresql.auto.conf").write_text(
            f"listen_addresses = ''\nunix_socket_directories = '{self.folder}'\nfsync = off\n"
        )
        self.start()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [self._bin / program, *map(str, arguments)],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=self.folder, **self._user,
        )  # fmt: skip

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-s", "-D", self._data, "-l", self.folder / "log")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "stop", "-w", "-s", "-D", self._data, "-m", mode)

    def url(self, database: str) -> str:
        return f"postgresql://umanflow@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """URL of a new, empty database."""
        import psycopg

        name = f"t{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)
