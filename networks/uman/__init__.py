"""Uman, SYNTHETIC: a model of a city of 80,000 built from public facts and stated assumptions; no real network."""
