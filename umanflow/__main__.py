"""Run the command line as `python -m umanflow`."""

from umanflow.cli import main

main()
