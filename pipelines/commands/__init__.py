"""The commands of `zoo`, one file each: its flags, and what it prints."""

# The commands in the order of `zoo --help`, and the module in this folder of each.
COMMANDS = {
    "list": "backbones.list",
    "info": "backbones.info",
    "fetch": "backbones.fetch",
    "plan": "runs.plan",
    "rank": "runs.rank",
    "few-shot": "runs.few_shot",
    "train": "runs.train",
    "tune": "runs.tune",
    "evaluate": "models.evaluate",
    "predict": "models.predict",
    "serve": "models.serve",
    "deploy": "models.deploy",
    "publish": "backbones.publish",
    "export": "models.export",
    "demo": "data.demo",
    "check": "data.check",
    "shard": "data.shard",
    "suggest": "models.suggest",
    "drift": "models.drift",
    "add-class": "runs.add_class",
    "adapt": "runs.adapt",
    "report": "runs.report",
    "compare": "runs.compare",
    "doctor": "doctor",
}
