"""A serial cable that needs no hardware: two pseudo-terminals and what runs between them at a line's pace."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from scada.endpoint import SerialLine
from scada.errors import ScadaError

__all__ = ["PseudoCable"]

_CHUNK = 1024
_FULLEST = 65536


class PseudoCable:
    """A cable between two serial ports of this machine; characters take the time that they take on a line.

    Parameters
    ----------
    line : SerialLine
        Gives the pace; a pseudo-terminal itself has neither speed nor parity.
    link : Path or None
        Name under which the near end is to be found.
    latency_s : float
        What a modem adds each way, s.

    Attributes
    ----------
    near, far : str
        The two ports, to be opened as any serial port.

    Raises
    ------
    ScadaError
        There are no pseudo-terminals, or something else stands at `link`.
    """

    def __init__(self, line: SerialLine, link: Path | None = None, latency_s: float = 0.0) -> None:
        self._line, self._link = line, link
        self.latency_s = latency_s
        self._ends: list[tuple[int, int]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()
        try:
            import tty  # Windows has none
        except ImportError as error:
            raise ScadaError("this system has no pseudo-terminals; name a serial port that is there") from error
        if link is not None and link.is_symlink() and not link.exists():
            # left behind by a cable that is no more; the terminals that are opened next may get its number
            with suppress(OSError):
                link.unlink()
        try:
            self._ends = [os.openpty(), os.openpty()]
        except OSError as error:
            raise ScadaError(f"this system gives no pseudo-terminal: {error.strerror}") from error
        for master, slave in self._ends:
            tty.setraw(slave)
            os.set_blocking(master, False)
        self.near, self.far = (os.ttyname(slave) for _, slave in self._ends)
        if link is not None:
            self._name(link)
        (near, _), (far, _) = self._ends
        self._relay(near, far)
        self._relay(far, near)

    def close(self) -> None:
        """Take the cable away."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        for master, slave in self._ends:
            self._loop.remove_reader(master)
            os.close(master)
            os.close(slave)
        self._ends.clear()
        if self._link is not None and self._link.is_symlink():
            self._link.unlink()

    def _name(self, link: Path) -> None:
        try:
            link.symlink_to(self.near)
        except OSError as error:
            self._link = None
            self.close()
            mend = "remove what stands there, or name another port"
            raise ScadaError(f"no serial port can be made at {link}: {error.strerror}; {mend}") from error

    def _relay(self, source: int, target: int) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        def take() -> None:
            try:
                data = os.read(source, _CHUNK)
            except OSError:  # nobody has the other end open
                return
            if queue.qsize() * _CHUNK < _FULLEST:
                queue.put_nowait((self._loop.time() + self.latency_s, data))

        self._loop.add_reader(source, take)
        self._tasks.append(self._loop.create_task(self._carry(queue, target)))

    async def _carry(self, queue: asyncio.Queue[tuple[float, bytes]], target: int) -> None:
        """Hand characters over at the pace of the line: a receiver sees each when it is complete."""
        free_s = 0.0
        while True:
            due_s, data = await queue.get()
            free_s = max(free_s, due_s)
            while data:
                free_s += self._line.character_s
                left_s = free_s - self._loop.time()
                if left_s > 0:
                    await asyncio.sleep(left_s)
                # what came due while this task slept goes at once
                ready = 1 + max(0, int((self._loop.time() - free_s) / self._line.character_s))
                part, data = data[:ready], data[ready:]
                free_s += (len(part) - 1) * self._line.character_s
                with suppress(BlockingIOError):  # nobody reads: lost, as on a line
                    os.write(target, part)
