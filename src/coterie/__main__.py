"""``python -m coterie`` is the `coterie` command."""

import sys

from coterie.cli import main

sys.exit(main())
