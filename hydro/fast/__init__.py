"""Many near-identical runs of one network at once: an own solver, proved step by step, with EPANET behind it."""
