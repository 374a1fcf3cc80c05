"""Tests of the package."""

import os

# Before anything imports torch: two processes test at a time, with one core each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
