"""Simulated PLCs: a process on one side, Modbus registers on the other."""
