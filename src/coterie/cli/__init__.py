"""Commands: thin, each a few lines over the library."""

from coterie.cli.app import main as main
