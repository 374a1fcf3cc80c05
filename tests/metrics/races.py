"""A race of workers through a list of trials, one event after the other."""

import heapq
import math


def race_by_events(tries, workers):
    """Return latency, bill and whether a trial hit.

    A worker that is free takes the next of `tries`, pairs of cost and hit, until one
    has hit; what runs then is charged up to there. Without a hit all of it runs.
    """
    free = [0.0] * workers
    spans, first_hit = [], math.inf
    for cost, hit in tries:
        start = heapq.heappop(free)
        if start >= first_hit:
            break
        heapq.heappush(free, start + cost)
        spans.append((start, start + cost))
        if hit:
            first_hit = min(first_hit, start + cost)
    stopped = [(start, min(end, first_hit)) for start, end in spans]
    latency = max(end for _, end in stopped)
    return latency, sum(end - start for start, end in stopped), first_hit < math.inf
