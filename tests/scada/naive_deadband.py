"""A deadband that looks at each sample by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from scada.deadband import LONGEST_SLOTS
from scada.sample import Quality, Reason, Sample
from scada.tag import Tag

_Sink = Callable[[Sequence[Sample]], None]


@dataclass(slots=True)
class _Silence:
    """One tag's last stored sample, and the last one left out since."""

    stored: Sample | None = None
    left_out: Sample | None = None


class NaiveDeadband:
    """The slow, obvious twin of scada.deadband.Deadband: sample by sample."""

    def __init__(self, tags: Iterable[Tag], sink: _Sink) -> None:
        self.left_out = 0
        self._sink = sink
        self._limits = {
            tag.name: (tag.deadband, LONGEST_SLOTS * tag.interval_ms)
            for tag in tags
            if tag.deadband and not tag.is_text
        }
        self._silences = {name: _Silence() for name in self._limits}

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Take samples."""
        if not self._limits:
            self._sink(samples)
            return
        passed: list[Sample] = []
        for sample in samples:
            limits = self._limits.get(sample.tag)
            if limits is None:
                passed.append(sample)
            else:
                passed.extend(self._news(sample, *limits))
        if passed:
            self._sink(passed)

    def flush(self) -> None:
        """Pass on the last sample of each tag that was left out; to be called at the end."""
        ends = [end for silence in self._silences.values() if (end := self._end(silence)) is not None]
        if ends:
            self._sink(ends)

    def _news(self, sample: Sample, deadband: float, longest_ms: int) -> list[Sample]:
        silence = self._silences[sample.tag]
        stored = silence.stored
        before = silence.left_out or stored
        is_same = (
            stored is not None
            and before is not None
            and sample.quality is Quality.GOOD is stored.quality
            and not sample.reason
            and stored.reason in {"", Reason.UNCHANGED.value}
            and abs(sample.value - stored.value) <= deadband
            # a slot that went by unread is never between two that were
            and 0 < sample.time_ms - before.time_ms <= 1.5 * longest_ms / LONGEST_SLOTS
        )
        if is_same and stored is not None:
            silence.left_out = sample
            if sample.time_ms - stored.time_ms < longest_ms:
                self.left_out += 1
                return []
            silence.left_out = None
            silence.stored = replace(sample, reason=Reason.UNCHANGED.value)
            return [silence.stored]
        end = self._end(silence)
        silence.stored = sample
        return [sample] if end is None else [end, sample]

    def _end(self, silence: _Silence) -> Sample | None:
        left_out, silence.left_out = silence.left_out, None
        if left_out is None:
            return None
        self.left_out -= 1
        silence.stored = replace(left_out, reason=Reason.UNCHANGED.value)
        return silence.stored
