"""The one place that knows the client library: ib_insync, or its successor ib_async, which has the same API."""

import asyncio
import importlib
import warnings
from typing import Any


def load() -> Any:
    """The library's module. Newer Pythons want an event loop to be there while ib_insync is imported."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        with warnings.catch_warnings():
            # eventkit asks for the current loop at import in a way that Python 3.12 deprecates.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                return importlib.import_module("ib_insync")
            except ModuleNotFoundError:
                return importlib.import_module("ib_async")
    finally:
        asyncio.set_event_loop(None)
        loop.close()
