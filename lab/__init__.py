"""The compression lab: train, prune, distill and quantize - and see what it does to the chip.

The only part that imports TensorFlow and Keras, and only when something of it runs. A recipe
(``recipe``) is a chain of stages (``stages``), each of which turns one ``State`` into the next;
``measure`` says of each state what it costs on a board and how well it does.
"""
