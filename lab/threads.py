"""How many threads TensorFlow computes with: its sums, and so all weights, depend on it."""

from __future__ import annotations

from tinysim.errors import RecipeError


def use_threads(count: int) -> None:
    """Have one operator computed by so many threads.

    Raises
    ------
    RecipeError
        If this process has already computed with another number.
    """
    import tensorflow as tf

    threading = tf.config.threading
    try:
        threading.set_inter_op_parallelism_threads(count)
        threading.set_intra_op_parallelism_threads(count)
    except RuntimeError as error:
        raise RecipeError(
            f"this process computes with {threading.get_intra_op_parallelism_threads()} threads",
            where=f"threads = {count}",
            fix="follow the recipe in a process of its own",
        ) from error
