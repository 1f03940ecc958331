"""How many logins may be under way at once, so that a flood of them never takes every thread from Kill.

A login holds a thread until the runner has compared the password, a quarter of a second or much longer behind others.
The rest are turned away at once, unheard."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

STRANGERS = 3
KNOWN = 2


class Turnstile:
    """Browsers that bring a device mark have places of their own: strangers cannot take those. Of the web's eight
    threads three are left for everyone else even when both are full."""

    def __init__(self) -> None:
        self._places = {False: threading.BoundedSemaphore(STRANGERS), True: threading.BoundedSemaphore(KNOWN)}

    @contextmanager
    def place(self, *, known: bool) -> Iterator[bool]:
        """Whether there was a place; nobody waits for one."""
        places = self._places[known]
        free = places.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                places.release()
