"""Runs in a Python that has Keras: reads our files there, and has Keras write its own. Given a folder, it fills it.

    PYTHON keras_reader.py FOLDER      FOLDER: NAME.h5, NAME.json, points.npy

It writes NAME.npy, what Keras makes of the points, and, by Keras, NAME.weights.h5 and the whole model NAME.model.h5.
"""

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np

if importlib.util.find_spec("tensorflow") is None:
    os.environ["KERAS_BACKEND"] = "torch"
import keras

folder = Path(sys.argv[1])
points = np.load(folder / "points.npy")
for path in sorted(folder.glob("*.json")):
    model = keras.models.model_from_json(path.read_text())
    model.load_weights(str(path.with_suffix(".h5")))
    np.save(path.with_suffix(".npy"), np.asarray(model.predict(points, verbose=0)))
    model.save_weights(str(path.with_suffix(".weights.h5")))
    model.save(str(path.with_suffix(".model.h5")))
print(keras.__version__)
