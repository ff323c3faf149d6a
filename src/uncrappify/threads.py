"""How threads of libraries behave beside other work: imported before numpy and torch, which read this as they load."""

import os

# Threads that wait actively are up to ten times slower on a machine that does other things too, threads that sleep at
# once train a fifth slower on one that does not: they look about 2,000 times, some 20 us.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
os.environ.setdefault("KMP_BLOCKTIME", "0")
# OpenBLAS, in numpy and scipy, knows no other way to wait, and has nothing to do here that is worth a second thread: a
# logistic regression takes 97 s with two on a busy machine, and 4 s with one. torch has its own threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
