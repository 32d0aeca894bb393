"""What the plant says: tags, register codec, request plan, Modbus reader, simulated PLCs and the historian.

The package knows registers, sockets and samples; it knows no hydraulics and imports no other package of the house.
"""
