"""The tracer in Python: for machines without a C compiler, and to check the native one."""

from __future__ import annotations

from collections.abc import Iterator

from tinysim.simulator.tracer import (
    BRANCH_CONDITIONAL,
    BRANCH_INDIRECT,
    COUNTERS,
    DEPTH_MAX,
    EXCEPTION_MARK,
    HISTORY_BITS,
    LEFT_BY_BRANCH,
    LEFT_BY_CALL,
    LEFT_BY_RETURN,
    NEVER,
    NOTHING_LOWER,
    STOP_ATTENTION,
    STOP_LIMIT,
    STOP_NONE,
    STOP_STACK,
    CodeMap,
    Context,
    Engine,
    Forecast,
    Pricer,
    RunCount,
    RunPrice,
    Tracer,
)


class PythonTracer(Tracer):
    """The slow twin: same counts, some forty times slower than the native one."""

    def __init__(
        self,
        engine: Engine,
        code: CodeMap,
        price: Pricer,
        forecast: Forecast,
        instruction_limit: int,
    ) -> None:
        self._engine, self._code, self._price = engine, code, price
        self._forecast, self._history, self._block_start = forecast, 0, 0
        self._counters = [0] * COUNTERS
        self._kinds: dict[int, int] = {}
        self._targets: dict[int, int] = {}
        self._limit = instruction_limit
        self._prices: dict[tuple[int, int, bool], RunPrice] = {}
        self._functions = [(0, 0)]
        self._children: dict[tuple[int, int], int] = {}
        self._frames: list[tuple[int, int]] = []
        self._context = 0
        self._attention, self._deadline, self._lets_pass = False, NEVER, False
        self._start = self._end = self._stack_floor = 0
        self._arriving: RunPrice | None = None
        self.clear()

    def clear(self) -> None:
        """Forget counts, keep what runs cost and the shape of the call tree."""
        self._counts: dict[tuple[int, int, int, bool], int] = {}
        self._missed: dict[tuple[int, int, int, bool], int] = {}
        self._run_missed = 0
        self._calls: dict[int, int] = {}
        self._is_open = False
        self._stop_reason = STOP_NONE
        self._lowest_sp = NOTHING_LOWER
        self._millicycles = self._instructions = 0
        self.error = None

    def enter(self, function: int) -> None:
        """Begin in a function that the host or an exception calls."""
        self._push(EXCEPTION_MARK)
        self._call(0, function)
        self._arriving = None

    def leave(self) -> None:
        """Leave what ``enter`` began, with all that it called."""
        self._arriving = None
        while self._frames:
            return_address, self._context = self._frames.pop()
            if return_address == EXCEPTION_MARK:
                return

    def watch(self, *, attention: bool, deadline_millicycles: int) -> None:
        """Stop before the next block, or before the first one at a time; the very next runs."""
        self._attention, self._deadline = attention, deadline_millicycles
        self._lets_pass = True

    def watch_next_block(self, deadline_millicycles: int) -> None:
        """Stop before the next block, whatever it is, and move the deadline."""
        self._attention, self._deadline = True, deadline_millicycles

    def guard_stack(self, floor: int) -> None:
        """Stop behind a run in which SP went below an address."""
        self._stack_floor = floor

    def spend(self, millicycles: int) -> None:
        """Let time pass that no instruction takes: exceptions, sleep."""
        self._millicycles += millicycles

    def block(self, address: int, size: int) -> None:
        """Take note that a block is about to run."""
        follows = self._is_open and address == self._end
        is_due = self._attention or self._millicycles >= self._deadline
        if is_due and not self._lets_pass:
            self.pause(address)
            if self._stop_reason == STOP_NONE:
                self._halt(STOP_ATTENTION)
            return
        self.arrive(address)
        self._lets_pass = False
        if self._forecast.mispredict_cycles:
            if self._is_open:
                self._predict(self._end, address)
            self._block_start = address
        if follows:
            self._end = address + size
            return
        if self._is_open:
            price = self._close(is_taken=True)
            if self._stop_reason != STOP_LIMIT:
                self._follow(address, price)
            if self._stop_reason != STOP_NONE:
                return
        self._start, self._end, self._is_open = address, address + size, True

    def close(self, is_taken: bool) -> None:
        """Count the open run at a stop: the program goes on, or is put, somewhere else."""
        self._close(is_taken)

    def pause(self, address: int) -> None:
        """Count the open run at a stop before an address, where the program will go on."""
        is_taken = self._is_open and address != self._end
        price = self._close(is_taken)
        if is_taken and price is not None:
            self._arriving = price

    def arrive(self, address: int) -> None:
        """Follow the branch that was taken before a pause, before anything else happens."""
        if self._arriving is not None:
            self._follow(address, self._arriving)
            self._arriving = None

    def lower_stack(self, sp: int) -> None:
        """Take note of how far down the stack went without an instruction."""
        self._lowest_sp = min(self._lowest_sp, sp)

    def _close(self, is_taken: bool) -> RunPrice | None:
        """Count the open run and return its price."""
        if not self._is_open:
            return None
        self._is_open = False
        key = (self._start, self._end, is_taken)
        if (price := self._prices.get(key)) is None:
            try:
                price = self._prices[key] = self._price(*key)
            except BaseException as error:  # cannot cross the emulator: the machine raises it
                self.error = error
                self._halt(STOP_LIMIT)
                return None
        counted = (self._start, self._end, self._context, is_taken)
        self._counts[counted] = self._counts.get(counted, 0) + 1
        self._missed[counted] = self._missed.get(counted, 0) + self._run_missed
        self._millicycles += price.millicycles + self._run_missed
        self._run_missed = 0
        self._instructions += price.instructions
        if price.moves_sp:
            low = self._engine.read_sp() - price.sp_above_low
            self._lowest_sp = min(self._lowest_sp, low)
            if low < self._stack_floor:
                self._halt(STOP_STACK)
        if self._instructions >= self._limit:
            self._halt(STOP_LIMIT)
        return price

    def _predict(self, end: int, start: int) -> None:
        """Charge the branch at the end of the last block if it was not expected to go there."""
        if end not in self._kinds:
            self._kinds[end] = self._forecast.kind_of(self._block_start, end)
        is_missed = False
        if self._kinds[end] == BRANCH_CONDITIONAL:
            is_taken = start != end
            chosen = (end >> 1 ^ self._history << 1) % COUNTERS
            is_missed = self._counters[chosen] >> 1 != is_taken
            step = 1 if is_taken else -1
            self._counters[chosen] = min(3, max(0, self._counters[chosen] + step))
            self._history = (self._history << 1 | is_taken) % (1 << HISTORY_BITS)
        elif self._kinds[end] == BRANCH_INDIRECT:
            is_missed = self._targets.get(end, 0) != start
            self._targets[end] = start
        self._run_missed += is_missed * self._forecast.mispredict_cycles * 1000

    def _follow(self, start: int, price: RunPrice | None) -> None:
        """Follow a taken branch in the call tree."""
        left_by = LEFT_BY_BRANCH if price is None else price.left_by
        if left_by == LEFT_BY_CALL:
            is_deep = len(self._frames) == DEPTH_MAX  # recursion: contexts end somewhere
            self._push(self._end)
            self._call(self._context, start, reuse=is_deep)
        elif self._frames and self._frames[-1][0] == start:
            self._context = self._frames.pop()[1]
        elif left_by == LEFT_BY_RETURN and self._unwind(start):
            pass
        elif self._is_entry(start) and self._functions[self._context][0] != start:
            self._call(self._context, start, reuse=True)  # a tail call

    def _unwind(self, start: int) -> bool:
        """Return past functions that did not return themselves; see ``unwind`` in tracer.c."""
        function = self._functions[self._context][0]
        for depth in reversed(range(len(self._frames))):
            address, context = self._frames[depth]
            if address == EXCEPTION_MARK:
                return False
            if address == start and self._functions[context][0] != function:
                del self._frames[depth:]
                self._context = context
                return True
        return False

    def _is_entry(self, address: int) -> bool:
        half = (address - self._code.base) >> 1
        return 0 <= half < len(self._code.is_entry) and bool(self._code.is_entry[half])

    def _push(self, return_address: int) -> None:
        self._frames = [*self._frames[1 - DEPTH_MAX :], (return_address, self._context)]

    def _call(self, parent: int, function: int, reuse: bool = False) -> None:
        """Go to a function's context; ``reuse`` takes one that is already on the path."""
        on_path = parent if reuse else 0
        while on_path and self._functions[on_path][0] != function:
            on_path = self._functions[on_path][1]
        key = (parent, function)
        if not on_path and key not in self._children:
            self._children[key] = len(self._functions)
            self._functions.append((function, parent))
        self._context = on_path or self._children[key]
        self._calls[self._context] = self._calls.get(self._context, 0) + 1

    def _halt(self, reason: int) -> None:
        self._stop_reason = reason
        self._engine.stop()

    def counts(self) -> Iterator[RunCount]:
        """Yield every run that was executed, in order of address."""
        for start, end, context, is_taken in sorted(self._counts):
            count = self._counts[start, end, context, is_taken]
            missed = self._missed[start, end, context, is_taken]
            yield RunCount(start, end, context, is_taken, count, (0, 0, 0, missed))

    def contexts(self) -> tuple[Context, ...]:
        """Return the call tree."""
        return tuple(
            Context(function, parent, self._calls.get(index, 0))
            for index, (function, parent) in enumerate(self._functions)
        )

    @property
    def millicycles(self) -> int:
        """Thousandths of a cycle up to the last taken branch."""
        return self._millicycles

    @property
    def instructions(self) -> int:
        """Instructions up to the last taken branch."""
        return self._instructions

    @property
    def lowest_sp(self) -> int:
        """Lowest stack pointer seen."""
        return self._lowest_sp

    @property
    def open_start(self) -> int | None:
        """Where the run that is being executed began."""
        return self._start if self._is_open else None

    @property
    def stop_reason(self) -> int:
        """Why the tracer itself has stopped the emulator."""
        return self._stop_reason

    def resume(self) -> None:
        """Forget the stop."""
        self._stop_reason = STOP_NONE
