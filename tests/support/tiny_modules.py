"""Small reusable SavedModels of every kind, made where a test needs one."""

from pathlib import Path

import keras
import tensorflow as tf

import zoo

WIDTH = 6
L2 = 0.01


class TinyModule(tf.Module):
    """A bare module with what image modules have: BatchNorm, dropout and a counter.

    `gives` is `vector`, `map`, `both` (a dictionary with `default`), `two` (one
    without), or `volume`, which is no feature of an image.
    """

    def __init__(self, gives: str = "vector") -> None:
        super().__init__()
        kernel = tf.random.stateless_normal([3, 3, 3, WIDTH], seed=[0, 1])
        self.gives = gives
        self.kernel = tf.Variable(kernel, name="conv/w")
        self.scale = tf.Variable(tf.ones([WIDTH]), name="norm/w")
        self.mean = tf.Variable(tf.zeros([WIDTH]), trainable=False, name="norm/mean")
        self.steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="steps")

    @tf.function
    def __call__(self, images, training=False):
        x = tf.nn.conv2d(tf.cast(images, tf.float32), self.kernel, 2, "SAME")
        if training:
            average = tf.reduce_mean(x, [0, 1, 2])
            self.mean.assign(0.9 * self.mean + 0.1 * average)
            self.steps.assign_add(1)
            x = tf.nn.dropout(x - average, 0.5)
        else:
            x = x - self.mean
        x = tf.nn.relu(x * self.scale)
        vector = tf.reduce_mean(x, [1, 2])
        return {
            "vector": vector,
            "map": x,
            "both": {"default": vector, "map": x},
            "two": {"vector": vector, "map": x},
            "volume": x[:, None],
        }[self.gives]


def _images(size: int | None, dtype: tf.DType = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec([None, size, size, 3], dtype, name="images")


def save_bare(
    folder: Path,
    *,
    gives: str = "vector",
    size: int | None = None,
    dtype: tf.DType = tf.float32,
) -> Path:
    """A `tf.Module` with both modes, which saves no list of its variables."""
    module = TinyModule(gives)
    for training in (True, False):
        module.__call__.get_concrete_function(_images(size, dtype), training=training)
    tf.saved_model.save(module, folder)
    return folder


def save_hub(folder: Path, *, size: int | None = None) -> Path:
    """A module with the whole interface: both modes, both lists, and a loss."""
    module = TinyModule()
    for training in (True, False):
        module.__call__.get_concrete_function(_images(size), training=training)
    published = tf.train.Checkpoint(module=module)
    published.__call__ = module.__call__
    published.variables = list(module.variables)
    published.trainable_variables = list(module.trainable_variables)
    loss = tf.function(lambda: L2 * tf.nn.l2_loss(module.kernel), input_signature=[])
    published.regularization_losses = [loss]
    tf.saved_model.save(published, folder)
    return folder


def save_slim(folder: Path, *, size: int | None = None) -> Path:
    """The interface of TF Hub's own image modules, which come from TF-Slim.

    Seen with `saved_model_cli` on google/imagenet/mobilenet_v2_100_224: four functions,
    by two flags, that take the momentum of BatchNorm as a second tensor.
    """
    module = TinyModule()

    @tf.function
    def call(inputs, training=False, return_endpoints=False, batch_norm_momentum=0.99):
        vector = module(inputs, training=training)
        if training:
            module.mean.assign(module.mean * batch_norm_momentum)
        return {"default": vector, "map": inputs} if return_endpoints else vector

    momentum = tf.TensorSpec([], name="batch_norm_momentum")
    for endpoints in (True, False):
        for training in (True, False):
            call.get_concrete_function(_images(size), training, endpoints, momentum)
    published = tf.train.Checkpoint(module=module)
    published.__call__ = call
    published.variables = list(module.variables)
    published.trainable_variables = list(module.trainable_variables)
    published.regularization_losses = []
    tf.saved_model.save(published, folder)
    return folder


def save_one_mode(folder: Path) -> Path:
    """A module that can only be called for inference."""
    module = TinyModule()
    published = tf.train.Checkpoint(module=module)
    published.__call__ = tf.function(module.__call__, input_signature=[_images(None)])
    tf.saved_model.save(published, folder)
    return folder


class TinyText(tf.Module):
    """Strings `[batch]` to vectors, as the nnlm modules of TF Hub: words from a file.

    Words outside of the vocabulary share one row; a text is the sum of its words over
    the root of their number.
    """

    def __init__(self, vocabulary: Path) -> None:
        super().__init__()
        self.vocabulary = tf.saved_model.Asset(str(vocabulary))
        known = tf.lookup.TextFileInitializer(
            self.vocabulary,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticVocabularyTable(known, num_oov_buckets=1)
        rows = len(vocabulary.read_text().splitlines()) + 1
        start = tf.random.stateless_normal([rows, WIDTH], seed=[0, 1])
        self.embeddings = tf.Variable(start, name="embeddings")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="sentences")])
    def __call__(self, sentences):
        words = tf.strings.split(sentences)
        vectors = tf.gather(self.embeddings, self.table.lookup(words.to_tensor("")))
        mask = tf.sequence_mask(words.row_lengths(), tf.shape(vectors)[1])
        counts = tf.cast(words.row_lengths(), tf.float32)[:, None]
        total = tf.reduce_sum(tf.where(mask[..., None], vectors, 0.0), 1)
        return tf.math.divide_no_nan(total, tf.sqrt(counts))


VOCABULARY = ("good", "bad", "film", "book", "the", "was")


def save_text(folder: Path) -> Path:
    """A module of texts with the whole interface and a vocabulary among its assets."""
    file = folder.with_name(f"{folder.name}-vocabulary.txt")
    file.write_text("\n".join(VOCABULARY) + "\n")
    module = TinyText(file)
    published = tf.train.Checkpoint(module=module)
    published.__call__ = module.__call__
    published.variables = published.trainable_variables = [module.embeddings]
    published.regularization_losses = []
    tf.saved_model.save(published, folder)
    file.unlink()  # what the module needs of it is in its assets
    return folder


def save_signature(folder: Path, *, name: str = "serving_default") -> Path:
    """A module with a signature and nothing to call."""
    module = TinyModule()
    published = tf.train.Checkpoint(module=module)
    serve = tf.function(lambda images: {"default": module(images)})
    concrete = serve.get_concrete_function(_images(None))
    tf.saved_model.save(published, folder, signatures={name: concrete})
    return folder


def save_like_tf_keras(folder: Path) -> Path:
    """A module as tf_keras writes it, seen from outside: `mask`, and a list."""
    module = TinyModule()

    @tf.function
    def call(inputs, training=False, mask=None):
        return module(inputs, training=training)

    for training in (True, False):
        call.get_concrete_function(_images(None), training, None)
    published = tf.train.Checkpoint(module=module)
    published.__call__ = call
    published.variables = list(module.variables)
    published.trainable_variables = list(module.trainable_variables)
    published.regularization_losses = []
    tf.saved_model.save(published, folder)
    return folder


def keras_network(size: int = 16) -> keras.Model:
    """A Keras 3 model with BatchNorm and dropout, from [0, 1] to a feature vector."""
    images = keras.Input((size, size, 3), name="images")
    x = keras.layers.Conv2D(WIDTH, 3, 2, use_bias=False)(images)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.Dropout(0.3)(keras.layers.ReLU()(x))
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(x))


def save_archive(folder: Path, model: keras.Model, *, with_training: bool) -> Path:
    """A Keras 3 `ExportArchive`, with or without a second endpoint for training."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    spec = [tf.TensorSpec([None, *model.input_shape[1:]], name="images")]
    modes = {"serve": False, **({"call_training": True} if with_training else {})}
    for name, training in modes.items():
        archive.add_endpoint(name, _mode(model, training), input_signature=spec)
    archive.write_out(folder, verbose=False)
    return folder


def _mode(model: keras.Model, training: bool):
    return lambda images: model(images, training=training)


def save_tf1(folder: Path, *, tag_sets: tuple[tuple[str, ...], ...]) -> Path:
    """A module as TF1 wrote it: a graph and a signature for each set of tags."""
    v1 = tf.compat.v1
    builder = v1.saved_model.Builder(str(folder))
    for index, tags in enumerate(tag_sets):
        with tf.Graph().as_default(), v1.Session() as session:
            images = v1.placeholder(tf.float32, [None, 8, 8, 3])
            kernel = v1.get_variable("kernel", initializer=tf.ones([3, WIDTH]))
            vector = tf.reduce_mean(images, [1, 2]) @ kernel
            session.run(v1.global_variables_initializer())
            signature = v1.saved_model.predict_signature_def(
                {"images": images}, {"default": vector}
            )
            signatures = {"serving_default": signature}
            if index == 0:
                builder.add_meta_graph_and_variables(
                    session, list(tags), signature_def_map=signatures
                )
            else:
                builder.add_meta_graph(list(tags), signature_def_map=signatures)
    builder.save()
    return folder


def save_backbone(folder: Path, backbone: zoo.Backbone) -> Path:
    """A backbone of ours as a module like those of TF Hub: [0, 1] to a feature map."""
    model = backbone.model

    @tf.function
    def call(images, training=False):
        return model(images * 255, training=training)

    for training in (True, False):
        call.get_concrete_function(_images(backbone.input_size_px), training=training)
    published = tf.train.Checkpoint(model=model)
    published.__call__ = call
    published.variables = [v.value for v in model.variables]
    published.trainable_variables = [v.value for v in model.trainable_variables]
    published.regularization_losses = []
    tf.saved_model.save(published, folder)
    return folder
