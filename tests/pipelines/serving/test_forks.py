"""A forked worker gets an error at once, with advice."""

import multiprocessing

import pipelines


def in_a_fork(work) -> str:
    """The result of `work` in a forked worker, or that it hangs."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def run() -> None:
        try:
            theirs.send(str(work()))
        except Exception as error:  # noqa: BLE001 - it is sent
            theirs.send(f"{type(error).__name__}: {error}")

    worker = context.Process(target=run)
    worker.start()
    try:
        return ours.recv() if ours.poll(20) else "it hangs"
    finally:
        worker.kill()
        worker.join()


def test_forked_worker_is_refused_at_once(predictors):
    predictor = predictors["text"]
    for work in (
        lambda: predictor.predict(["a"]),
        lambda: predictor.features(["a"]),
        lambda: predictor.probabilities(["a"]),
        lambda: pipelines.load(predictor.artifact.path),
    ):
        answer = in_a_fork(work)
        assert answer.startswith("RuntimeError: This process was forked")
        assert "get_context('spawn')" in answer
    assert predictor.predict(["a"])[0].label == "dog"
