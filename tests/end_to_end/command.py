"""A command in a process that has imported the large libraries already; `Project.kedro` runs this file.

Two thirds of a short run are imports. A fork server imports them once, and forks for each command. The file's globals
say which module runs with which arguments, in which folder and environment, and where its outputs go.
"""

import gc
import os
import runpy
import signal
import sys

said = dict(globals())
# What the server has imported is never garbage.
gc.freeze()
os.setsid()
# A shell's background jobs ignore Ctrl-C, and nohup's a closed terminal, and so does all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
for number, file in enumerate(said["outputs"], start=1):
    os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
os.chdir(said["folder"])
os.environ.clear()
os.environ.update(said["environment"])
# As the environment says, and not as the server was started: it would else compile all it imports anew, each time.
sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
sys.path[:0] = said["environment"]["PYTHONPATH"].split(os.pathsep)
sys.argv = list(said["arguments"])
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
