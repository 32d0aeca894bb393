"""From tags to a record of the network."""

import numpy as np
import pandas as pd
import pytest

from scada.plc.stations import dma_inlet, pressure_logger, tank
from umanflow.pipeline import measured_tags, record_of


def test_tags_become_si_columns_of_their_elements():
    tags = [
        *dma_inlet("dma", {"flow": "P1", "volume": "P1"}),
        *pressure_logger("log", {"pressure": "J1"}),
        *tank("tank", {"level": "T1"}),
    ]
    index = pd.date_range("2026-01-05", periods=2, freq="5min", tz="UTC")
    frame = pd.DataFrame(
        {"dma.flow": [36.0, 72.0], "log.pressure": [41.5, np.nan], "tank.level": [2.0, 2.1], "dma.volume": [1.0, 2.0]},
        index=index,
    )
    record = record_of(frame, tags)
    assert record.flow["P1"].tolist() == pytest.approx([0.01, 0.02])
    assert record.pressure["J1"].iloc[0] == 41.5
    assert np.isnan(record.pressure["J1"].iloc[1])
    assert list(record.level.columns) == ["T1"]
    assert record.demand.empty


def test_only_hydraulic_quantities_at_elements_are_measured():
    tags = [*dma_inlet("dma", {"flow": "P1"}), *pressure_logger("log")]
    assert [tag.name for tag in measured_tags(tags)] == ["dma.flow"]
