"""What a historian answers, by going through everything that ever came."""

from scada.sample import Quality, Sample


def naive(journal: list[Sample], known_ms: int | None) -> list[Sample]:
    """The last that was known of what said something new, for each time and tag."""
    known = {
        key: [sample for sample in kept if known_ms is None or sample.arrival_ms <= known_ms]
        for key, kept in news(journal).items()
    }
    return [known[key][-1] for key in sorted(known) if known[key]]


def news(journal: list[Sample]) -> dict[tuple[int, str], list[Sample]]:
    """Everything that said something new when it arrived, for each time and tag."""
    history: dict[tuple[int, str], list[Sample]] = {}
    for sample in journal:
        kept = history.setdefault((sample.time_ms, sample.tag), [])
        is_known = kept and (says(kept[-1]) == says(sample) or kept[-1].arrival_ms == sample.arrival_ms)
        if not is_known:
            kept.append(sample)
    return history


def says(sample: Sample) -> tuple[str, Quality, str]:
    return str(sample.value), sample.quality, sample.reason
