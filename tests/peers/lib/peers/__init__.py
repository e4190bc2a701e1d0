"""What the checks have in common: processes, origins, Passeur itself, and HTTP without comfort."""

import os
import pathlib
import sys

FOLDER = pathlib.Path(os.environ["PEERS_DIR"]) if "PEERS_DIR" in os.environ else None
FULL = bool(os.environ.get("PEERS_FULL"))


def found(text):
    """Says what was seen; shown on the check's line."""
    print(f"> {text}", flush=True)


def fail(text):
    """Ends the check."""
    sys.exit(f"FAILED: {text}")


def expect(condition, text):
    """Ends the check unless `condition` holds."""
    if not condition:
        fail(text)


def expect_equal(seen, wanted, what):
    """Ends the check unless both are equal."""
    expect(seen == wanted, f"{what}: {seen!r}, not {wanted!r}")
