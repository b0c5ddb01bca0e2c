"""Work that is done by several processes, any of which may die.

Each process has a pipe of its own: one that is killed, even while it speaks, closes its pipe, and
it is known what it was at. Neither a pool that breaks as a whole nor a queue that stays locked
can do that.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")


def work_on(
    tasks: Sequence[Task],
    work: Callable[[Task], Answer],
    jobs: int,
    died: Callable[[Task, int], Answer],
    on_answer: Callable[[Answer], None],
) -> list[Answer]:
    """Return the answers in the order of their tasks.

    Parameters
    ----------
    work
        A function of a module, as it is called in other processes, with a task each.
    jobs
        How many processes there are; with one, or one task, everything is done in this one.
    died
        Called with a task whose process ended without an answer, and its exit code: minus the
        signal if it was killed.
    on_answer
        Called as answers come in.
    """
    if jobs == 1 or len(tasks) <= 1:
        answers = []
        for task in tasks:
            answers.append(work(task))
            on_answer(answers[-1])
        return answers
    workers = [_Worker(work) for _ in range(min(jobs, len(tasks)))]
    idle = list(workers)

    def answer(task: Task) -> Answer:
        """Have a task done by the next worker; there are as many threads as workers."""
        worker = idle.pop()
        try:
            return worker.ask(task)
        except (EOFError, OSError):
            return died(task, worker.exit_code())
        finally:
            idle.append(worker)

    threads = ThreadPoolExecutor(len(workers))
    try:
        futures = [threads.submit(answer, task) for task in tasks]
        for future in as_completed(futures):
            on_answer(future.result())
        return [future.result() for future in futures]
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.kill()  # whoever waits for it gets its end of the pipe
        threads.shutdown()


class _Worker(Generic[Task, Answer]):
    """A process that answers one task after another."""

    def __init__(self, work: Callable[[Task], Answer]) -> None:
        self._work = work
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, self._work), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, task: Task) -> Answer:
        """Return the answer; ``OSError`` or ``EOFError`` if the process ended instead."""
        if self._process.exitcode is not None:
            self._start()
        self._pipe.send(task)
        answer: Answer = self._pipe.recv()
        return answer

    def exit_code(self) -> int:
        """Return how a process ended that has closed its pipe."""
        self._process.join(_ENDING_S)
        self.kill()
        return self._process.exitcode or 0

    def kill(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.join()


_SPAWN = get_context("spawn")
#: How long a process may take to end.
_ENDING_S = 5.0


def _serve(pipe: Connection, work: Callable[[Task], Answer]) -> None:
    """Answer tasks until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the user's Ctrl-C is for who has asked
    with suppress(EOFError, OSError):
        while True:
            pipe.send(work(pipe.recv()))
