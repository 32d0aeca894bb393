"""The demo: a city, its instruments and the whole road from register to report."""
