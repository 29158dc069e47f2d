"""nx-27017 as a process that ends when its standard input does: `python -m tests.support.nx_server OPTIONS`.

So it never outlives a test session, however that ends.
"""

from __future__ import annotations

import os
import sys
import threading

from nx_27017.nx_27017 import main


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    main()
