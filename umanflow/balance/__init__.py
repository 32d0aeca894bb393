"""The water balance as an application: an input file or the historian in, tables and documents out."""
