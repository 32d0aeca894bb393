"""The modernisation plan: what to do, where, in which order, and what it brings."""
