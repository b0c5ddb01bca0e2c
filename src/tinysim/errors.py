"""Everything that the user can mend, one class a reaction.

::

    TinysimError
    ├ ModelError                 the model file, or an input for it, cannot be used
    │ └ UnsupportedOperatorError   lists every operator that has no kernel, at once
    ├ BoardError                 unknown board, or a board file that breaks the schema
    ├ BudgetError                a budget that cannot be read; names every problem, at once
    ├ ToolchainError             the cross compiler is missing or failed
    ├ LibraryError               a library that is not always needed is not installed
    ├ SimulationError            the firmware cannot be executed
    │ ├ FaultError                 a bad access or instruction, with pc and symbol
    │ └ LimitError                 an instruction or time limit was reached
    ├ OutputError                a result cannot be written
    ├ RecipeError                a recipe of the lab, or data for it, cannot be used
    └ InternalError              a wrong answer of our own making: please report it
"""

from __future__ import annotations

from typing import Any


class TinysimError(Exception):
    """Something that the user can mend; reads ``where: what; fix``.

    ``exit_code`` is what the command line ends with.
    """

    exit_code = 70

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        super().__init__(f"{where}: {what}; {fix}")
        self.what, self.where, self.fix = what, where, fix

    def __reduce__(self) -> tuple[Any, ...]:
        """Let errors pass from one process to another."""
        return _made_of, (type(self), self.__dict__)


def _made_of(kind: type[TinysimError], parts: dict[str, Any]) -> TinysimError:
    return kind(**parts)


class ModelError(TinysimError):
    """The model file, or an input for it, cannot be used."""

    exit_code = 3


class UnsupportedOperatorError(ModelError):
    """The model holds operators that no kernel computes."""


class BoardError(TinysimError):
    """A board is unknown, or its file breaks the schema."""

    exit_code = 2


class BudgetError(TinysimError):
    """A file of budgets cannot be read; lists everything that is wrong with it."""

    exit_code = 2


class ToolchainError(TinysimError):
    """The cross compiler is missing, or refused the generated code."""

    exit_code = 4


class LibraryError(TinysimError):
    """A library that only some of tinysim needs is not installed."""

    exit_code = 4


class SimulationError(TinysimError):
    """The firmware cannot be executed."""

    exit_code = 3


class FaultError(SimulationError):
    """The firmware did what the hardware would fault on."""

    def __init__(self, what: str, *, where: str, fix: str, pc: int, symbol: str) -> None:
        super().__init__(what, where=where, fix=fix)
        self.pc, self.symbol = pc, symbol


class LimitError(SimulationError):
    """An instruction or time limit was reached."""


class EndError(SimulationError):
    """The firmware ended by itself before what was waited for."""


class OutputError(TinysimError):
    """A result cannot be written where it was asked for."""

    exit_code = 4


class InternalError(TinysimError):
    """The machine's answer contradicts the host's: a bug of tinysim."""


class MeasurementError(TinysimError):
    """A measured run that cannot be read or compared."""

    exit_code = 3


class RecipeError(TinysimError):
    """A recipe of the lab, or data for it, cannot be used."""

    exit_code = 2
