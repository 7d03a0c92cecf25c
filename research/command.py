"""How a script ends: a user's mistake is one line and exit code 2, as on the product's command line."""

from __future__ import annotations

import sys
from collections.abc import Callable

from equipoise.cli.shared import one_line
from equipoise.errors import UserError


def exit_code(script: Callable[[], None]) -> int:
    """Runs a script; returns 0, or 2 after a mistake of its user, or 130 after Ctrl-C."""
    try:
        script()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except (UserError, OSError, ImportError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2
    return 0
