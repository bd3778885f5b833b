"""`python -m isospike`: the command line."""

from isospike.cli.main import run

run()
