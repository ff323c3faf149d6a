"""How threads of libraries behave beside other work: imported before numpy and torch, which read this as they load."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

# Threads that wait actively are up to ten times slower on a machine that does other things too, threads that sleep at
# once train a fifth slower on one that does not: they look about 2,000 times, some 20 us.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
os.environ.setdefault("KMP_BLOCKTIME", "0")
# OpenBLAS, in numpy and scipy, knows no other way to wait, and has nothing to do here that is worth a second thread: a
# logistic regression takes 97 s with two on a busy machine, and 4 s with one. torch has its own threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@contextmanager
def divided_threads(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Give a pool of threads that share those which torch computes with; what has not begun in the end is left out.

    All threads that work on something small wait for each other at each layer; with something of their own they do not.
    """
    import torch

    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, initializer=partial(torch.set_num_threads, max(1, threads // workers)))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        # For threads that are yet to come; this one's own number has not changed.
        torch.set_num_threads(threads)
