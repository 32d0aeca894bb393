"""Ingestion beside the reader, in a process of its own: however large a file is, no poll waits for it."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.context import SpawnProcess

from umanflow.config import Config

_logger = logging.getLogger(__name__)
_LOOK_S = 0.5
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_LONGEST_END_S = 10.0


class IngestProcess:
    """Keeps a process running that takes files and asks databases.

    Parameters
    ----------
    config
        With an `[ingest]` that watches something.

    Attributes
    ----------
    restarts
        Times the process ended by itself and was started again.
    """

    def __init__(self, config: Config) -> None:
        self.restarts = 0
        self._config = config
        self._process: SpawnProcess | None = None
        self._is_over = False
        self._changing = threading.Lock()

    async def run(self) -> None:
        """Task: run until cancelled."""
        pause_s = _SHORTEST_PAUSE_S
        try:
            while True:
                began = time.monotonic()
                await asyncio.to_thread(self._start)
                while self._process is not None and self._process.is_alive():
                    await asyncio.sleep(_LOOK_S)
                if time.monotonic() - began > _LONGEST_PAUSE_S:
                    pause_s = _SHORTEST_PAUSE_S
                self.restarts += 1
                code = self._process.exitcode if self._process is not None else None
                _logger.error("ingestion ended by itself (%s); starting it again in %.0f s", code, pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(2.0 * pause_s, _LONGEST_PAUSE_S)
        finally:
            await asyncio.shield(asyncio.to_thread(self._stop))

    def _start(self) -> None:
        process = multiprocessing.get_context("spawn").Process(
            target=_ingest, args=(self._config,), name="umanflow-ingest", daemon=True
        )
        with self._changing:
            if not self._is_over:
                process.start()
                self._process = process

    def _stop(self) -> None:
        with self._changing:
            self._is_over = True
            if self._process is None or not self._process.is_alive():
                return
            self._process.terminate()
            self._process.join(_LONGEST_END_S)
            if self._process.is_alive():  # what it was doing is taken again by the next: that does no harm
                self._process.kill()
                self._process.join()


def _ingest(config: Config) -> None:
    """The process: watch until it is told to end, or whoever started it is gone."""
    from umanflow.errors import UserError
    from umanflow.ingesting import Wish
    from umanflow.watching import log_outcome, run_watch

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, frame: stop.set())
    threading.Thread(target=_follow_parent, args=(stop,), daemon=True).start()
    with suppress(KeyboardInterrupt):
        try:
            run_watch(config, Wish(), stop, log_outcome)
        except UserError as error:  # somebody else still watches
            _logger.warning("%s", error)


def _follow_parent(stop: threading.Event) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        stop.set()
