"""Tests of the package."""

import os
import signal

# Before anything imports torch: two processes test at a time, with one core each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Who runs in the background ignores Ctrl-C, and so would every process started here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
