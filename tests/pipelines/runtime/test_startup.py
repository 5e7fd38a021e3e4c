CODE = """
import os, sys
from pipelines.runtime.startup import start_tensorflow
start_tensorflow({module!r})
print('keras' in sys.modules, 'tensorflow' in sys.modules)
print(os.environ['TF_CPP_MIN_LOG_LEVEL'], os.environ.get('KERAS_BACKEND'))
"""


def test_start_tensorflow_brings_keras_and_is_quiet(fresh_process):
    ended = fresh_process(CODE.format(module="keras"))
    assert ended.stdout == "True True\n2 tensorflow\n", ended.stderr
    assert ended.stderr == ""


def test_start_tensorflow_keeps_another_log_level(fresh_process):
    environment = {"TF_CPP_MIN_LOG_LEVEL": "1"}
    ended = fresh_process(CODE.format(module="tensorflow"), env=environment)
    assert ended.stdout.splitlines()[1].split()[0] == "1", ended.stderr
