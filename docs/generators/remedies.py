"""Advice for errors whose message has none of its own, written by hand.

The first pattern that is in a message counts; then the first place that it comes from.
"""

from __future__ import annotations

import re

from .messages import Message

BY_TEXT = {
    r"The gate names": (
        "Take a name from the list: [the gate](../howto/quality_gate.md) has examples."
    ),
    r"cannot be read as a table": (
        "Save it as UTF-8 with a header line, or say `delimiter=` and `encoding=`."
    ),
    r"cannot be read|cannot be written|could not be written|could not be kept": (
        "The reason follows the colon. Correct the path, give yourself rights to it, or"
        " make room on the disk."
    ),
    r"needs --to FILE|need --to DIR|need --shards|exclude each other|needs both": (
        "Give the flags that the message names together, or leave one out."
    ),
    r"--to takes one folder or one table": "Run the command once for each of them.",
    r"must end in": "Give the file an ending of the list.",
    r"--fix copies folders": "Use `--report FILE` for other data, or make folders.",
    r"must be more than 0|must be 0, for none|must not be negative|must be 1 or more": (
        "Give a number in the range that the message names."
    ),
    r"needs a path after the colon|needs a value, as in|is not a pattern": (
        "Write it as the message shows; [the references](data.md) has every option."
    ),
    r"Unknown (option|scheme)|capture groups|layout=|^(…|\w+)=… is (unknown|not)": (
        "[The references](data.md) has every scheme and option."
    ),
    r"has no (train split|row without|UTF-8)|two columns of the same name": (
        "Correct the table or the records; `zoo check REF` lists every such place."
    ),
    r"names columns and has no rows|has no … to predict": (
        "Check that the path is the one you mean, and that the file is complete."
    ),
    r"but the run was trained on": "Give examples like those of the run.",
    r"The run has no class": "Name a class of the list that follows.",
    r"class_names lacks": "Write the file again with a name for each class in `y`.",
    r"is being written by another process": "Wait until that one has ended.",
    r"but the artifact takes|is expected: |takes series of shape|Pixels|from … to …": (
        "Give examples like those of training; `zoo_artifact.json` has the shapes."
    ),
    r"has no (word vectors|tokenizer)|is read|SentencePiece|WordPiece|tokenizer": (
        "Use the vocabulary or the vectors that the network was trained with; `zoo info"
        " NAME` names them."
    ),
    r"An? (file|series|Pillow image) that came": (
        "Open it with the program that made it, save it again, and give it again."
    ),
    r"is not an? (http|address)|redirects where": (
        "Give an address that begins with https:// and that answers itself."
    ),
    r"could not (be fetched|download)|did not bring|not available from its hub": (
        "Check the network and the proxy and run the command again: a download goes on"
        " where it ended. Without a network, `zoo fetch --to DIR` on another machine."
    ),
    r"is not in …, and nothing is fetched": (
        "Run `zoo fetch` where there is a network, and copy the store."
    ),
    r"is not JSON|is not a readable manifest|cannot be understood": (
        "The file is damaged or another one: take it from where it was made."
    ),
    r"There is no (folder|archive|prepared data set|config)": (
        "Check the spelling; relative paths count from the current folder."
    ),
    r"The row '…'|Block '…' ends|names none": (
        "Correct the row that you registered; `zoo.get_spec('tiny_image')` is a whole"
        " one."
    ),
    r"damaged or no|is damaged|is cut, damaged": (
        "Fetch or export it again: nothing of it was used."
    ),
    r"There is no weight file": (
        "Check the path, or leave `config.weights` out for the published weights."
    ),
}
BY_PLACE = {
    "zoo/storage/archive": (
        "The archive was not unpacked. Get it again from somebody whom you trust."
    ),
    "zoo/storage/download": (
        "Nothing was kept. Check the address in a browser, and the proxy."
    ),
    "zoo/sources": (
        "This network cannot be a backbone as it is: take another one of `zoo list`, or"
        " [write its row](networks.md#rows-and-networks-from-elsewhere)."
    ),
    "zoo/saved_model": (
        "Export the module again with the TensorFlow of this machine, or take another."
    ),
    "zoo/weights/kerashub_presets": (
        "Save the preset again with `save_to_preset`, or take another one."
    ),
    "zoo/storage": "Nothing was kept. Fetch it again, or from another address.",
    "zoo/weights": (
        "The file is of another network or version: take the one of `zoo info NAME`, or"
        " the backbone that it belongs to."
    ),
    "zoo/backend": "Unset `KERAS_BACKEND`, or set it to `tensorflow`.",
    "zoo": "`zoo info NAME` and `zoo list` show what there is.",
    "pipelines/audit": "Look at the findings above the message: they name each file.",
    "pipelines/data": (
        "Correct the data that the message names; `zoo check REF` lists all of it."
    ),
    "pipelines/serving/server/scan": (
        "Serve what you exported yourself; a model from elsewhere needs a look at it."
    ),
    "pipelines/serving/server/text_files": (
        "Correct the line that the message names; TensorFlow Serving refuses it too."
    ),
    "pipelines/serving/server/models": (
        "The version before keeps serving. Publish the version again, complete."
    ),
    "pipelines/serving/parity": (
        "Run the same command again; if it stays, report it with `parity.json`."
    ),
    "pipelines/comparison": (
        "Give folders of at least two finished runs, each with its `report.json`."
    ),
    "pipelines/problems": (
        "Give data with the labels that training had: their kind, number and names."
    ),
    "pipelines/planning": "Leave the field out, or take another backbone or strategy.",
    "pipelines/formats": "`zoo export --help` lists the formats.",
    "pipelines/commands": "`zoo COMMAND --help` lists the flags with their values.",
    "pipelines/runs": "Choose another `workdir`, or add `--config.overwrite`.",
    "pipelines/training": "Leave the field out, or choose another value for it.",
    "pipelines/serving": "Export the run again, and give its artifact.",
    "pipelines/config": "`zoo train --help` lists the fields with their values.",
}


def advice(message: Message) -> str:
    """Advice for an error: from its message, or from the lists above; or nothing."""
    return message.advice or by_hand(message)[1]


def by_hand(message: Message) -> tuple[str, str]:
    """The key of the lists that fits a message, and its advice; empty if none does."""
    for pattern, text in BY_TEXT.items():
        if re.search(pattern, message.text):
            return pattern, text
    for place, text in BY_PLACE.items():
        if message.place.startswith(place):
            return place, text
    return "", ""
