"""How water moves: in-process EPANET, runs with leaks, sensitivity, the model driven by measurements."""
