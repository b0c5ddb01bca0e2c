"""The stage that lets a student learn from a teacher.

The model that the stage takes is the teacher if a student is named, and the student if not: a
family of the zoo begins untrained, and a pruned model learns from what it was before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tinysim.errors import RecipeError
from tinysim.lab import zoo
from tinysim.lab.distill import DistillSettings, distill
from tinysim.lab.model_files import load_masks, load_model, save_model
from tinysim.lab.stages import Context
from tinysim.lab.state import State


@dataclass(frozen=True)
class Settings(DistillSettings):
    """Who learns from whom, and how.

    ``student`` is a family of the zoo, with its ``student_factors``; ``teacher`` the name of an
    earlier stage. Either may be a Keras model's file instead.
    """

    student: str | None = None
    student_factors: Mapping[str, Any] = field(default_factory=dict)
    student_file: Path | None = None
    teacher: str | None = None
    teacher_file: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.student and self.student_file:
            raise ValueError("give either student or student_file")
        if self.teacher and self.teacher_file:
            raise ValueError("give either teacher or teacher_file")
        if self.student_factors and not self.student:
            raise ValueError("student_factors are for a student that is a family")
        if not any((self.student, self.student_file, self.teacher, self.teacher_file)):
            raise ValueError("give a student, a teacher or both: it has to be another model")

    @property
    def needs(self) -> tuple[str, ...]:
        """Earlier stages whose models are used, besides that of the one before."""
        return (self.teacher,) if self.teacher else ()


def run(settings: Settings, context: Context, before: State) -> State:
    """Train the student, and say how it went."""
    teacher = load_model(_teacher(settings, context, before))
    masks = None
    if settings.student_file:
        student = load_model(settings.student_file)
    elif settings.student:
        shape, classes = context.dataset.input_shape, len(context.dataset.classes)
        student = zoo.build(settings.student, shape, classes, **settings.student_factors)
    else:
        student = load_model(_trained(before, "the model before"))
        masks = None if before.masks is None else load_masks(before.masks)
    history = distill(
        student,
        teacher,
        context.dataset,
        settings,
        seed=context.seed,
        masks=masks,
        on_progress=context.on_progress,
    )
    larger = teacher.count_params() / student.count_params()
    return replace(
        before,
        keras=save_model(student, context.folder / "model.keras"),
        tflite=None,
        masks=before.masks if masks else None,
        notes={
            "teacher": f"{teacher.count_params():,} parameters, {larger:.2f} times the student's",
            "distillation loss": f"{history.loss[-1]:.4f}",
        },
    )


def _teacher(settings: Settings, context: Context, before: State) -> Path:
    """Return the file of the teacher."""
    if settings.teacher_file:
        return settings.teacher_file
    if not settings.teacher:
        return _trained(before, "the model before")
    if settings.teacher not in context.earlier:
        raise RecipeError(
            f"there is no earlier stage {settings.teacher!r} to teach",
            where="stage distill",
            fix=f"one of {', '.join(context.earlier) or 'the models that were made before'}",
        )
    return _trained(context.earlier[settings.teacher], f"stage {settings.teacher!r}")


def _trained(state: State, what: str) -> Path:
    if state.keras is None:
        raise RecipeError(
            f"{what} is no Keras model", where="stage distill", fix="distill before converting"
        )
    return state.keras
