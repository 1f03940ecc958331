"""Does nothing until it is stopped: the container that holds a network for others."""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.pause()
