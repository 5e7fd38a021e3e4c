from pipelines.display.audit_table import audit_table

AUDIT = {"examples": 6, "counts": {"cat": 4, "dog": 2}, "findings": []}


def test_audit_without_findings_says_so():
    lines = audit_table(AUDIT).splitlines()
    assert lines == ["6 examples in 2 classes: cat 4, dog 2", "nothing was found"]


def test_audit_shows_first_names_of_each_finding():
    names = [f"{i}.png" for i in range(5)]
    finding = {"severity": "error", "what": "cut short", "about": names}
    table = audit_table({**AUDIT, "problem": "multi_label", "findings": [finding]})
    head, _, header, row = table.splitlines()
    assert head.startswith("6 examples in 2 labels")
    assert header.split() == ["severity", "times", "what", "where"]
    assert row.split()[:4] == ["error", "5", "cut", "short"]
    assert row.endswith("0.png; 1.png; 2.png; and 2 more")
