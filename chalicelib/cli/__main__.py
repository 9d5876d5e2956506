"""``python -m chalicelib.cli``: the same as ``falsework``; detached engines are started so."""

from __future__ import annotations

import sys

from chalicelib.cli import main

if __name__ == "__main__":
    sys.exit(main())
