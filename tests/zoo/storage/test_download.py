"""A file comes whole and as expected, or there is an error that says why."""

import base64
import hashlib
import json
import random
import re
import sys
import time

import pytest

from zoo.errors import DownloadError, WrongContentError
from zoo.storage.download import _next_address, _Part, download
from zoo.storage.terms import Expected

BODY = random.Random(0).randbytes(200_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY).hexdigest()
KNOWN = Expected(sha256=SHA256)
CUTS = [0, 1, 1000, 16_384, 65_536, 131_072, 199_999]


class Log:
    """A stream as loggers make them: it has no `isatty`."""

    def write(self, text):
        return len(text)

    def flush(self):
        pass


@pytest.fixture
def part(tmp_path):
    return tmp_path / "file.part"


@pytest.fixture
def fetch(part, patience):
    def run(url, expected=KNOWN, **options):
        download(url, part, expected=expected, patience=patience, **options)
        assert not part.with_name("file.part.json").exists()
        return part.read_bytes()

    return run


def refuses(fetch, url, message, kind=DownloadError, expected=KNOWN):
    with pytest.raises(kind, match=message) as raised:
        fetch(url, expected)
    assert type(raised.value) is kind
    assert url.partition("?")[0] in str(raised.value)


class TestWhole:
    @pytest.mark.parametrize(
        "expected",
        [KNOWN, Expected(md5=MD5), Expected(sha256=SHA256.upper()), Expected()],
        ids=["sha256", "md5", "upper", "unknown"],
    )
    def test_a_file_comes_as_it_is(self, site, answer, fetch, expected):
        assert fetch(site.at("file", answer(BODY)), expected) == BODY
        assert site.ranges() == [None]

    def test_in_chunks(self, site, answer, fetch):
        url = site.at("file", answer(BODY, chunked=True))
        assert fetch(url) == BODY
        assert fetch(url, Expected()) == BODY

    def test_an_empty_file(self, site, answer, fetch):
        assert fetch(site.at("file", answer(b"")), Expected()) == b""

    def test_a_label_shows_a_bar(self, site, answer, fetch, capsys):
        url = site.at("file", answer(BODY))
        fetch(url)
        assert capsys.readouterr().err == ""
        fetch(url, label="weights.h5")
        bar = capsys.readouterr().err
        assert bar.startswith("\rweights.h5:   0%")
        assert "weights.h5: 100%" in bar
        assert "200k/200k" in bar

    def test_a_bar_without_a_length_counts(self, site, answer, fetch, capsys):
        url = site.at("file", answer(BODY, said_length=None))
        fetch(url, label="weights.h5")
        assert "weights.h5: 200kB" in capsys.readouterr().err

    @pytest.mark.parametrize("stream", [None, Log()], ids=["none", "a logger"])
    def test_a_bar_needs_no_stderr(self, site, answer, fetch, monkeypatch, stream):
        monkeypatch.setattr(sys, "stderr", stream)
        assert fetch(site.at("file", answer(BODY)), label="weights") == BODY

    def test_no_length_needs_a_digest_or_an_end(self, site, answer, fetch):
        url = site.at("file", answer(BODY, said_length=None))
        assert fetch(url) == BODY
        assert fetch(url, Expected(ends_itself=True)) == BODY
        refuses(fetch, url, "comes without its length", WrongContentError, Expected())


class TestAnswers:
    def test_404_is_final(self, site, fetch):
        refuses(fetch, f"{site.address}/absent", "answered 404 .* Check the address")
        assert len(site.requests) == 1

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_failing_server_is_asked_a_few_times(self, site, answer, fetch, status):
        failing = answer(status=status)
        url = site.at("file", failing)
        refuses(fetch, url, f"in 3 attempts: it answered {status}")
        assert len(site.requests) == 3
        assert fetch(site.at("file", failing, failing, answer(BODY))) == BODY

    def test_redirects_are_followed(self, site, answer, fetch):
        site.at("there", answer(BODY))
        for status in (301, 302, 303, 307, 308):
            url = site.at("here", answer(status=status, location="/there"))
            assert fetch(url) == BODY

    def test_only_a_few_redirects(self, site, answer, fetch):
        for number in range(8):
            site.at(f"{number}", answer(status=302, location=f"/{number + 1}"))
        site.at("8", answer(BODY))
        assert fetch(f"{site.address}/4") == BODY
        refuses(fetch, f"{site.address}/0", "redirects where we do not go")

    def test_a_redirect_loop_ends(self, site, answer, fetch):
        url = site.at("loop", answer(status=302, location="/loop"))
        refuses(fetch, url, "redirects where we do not go.*infinite loop")
        assert len(site.requests) <= 3

    @pytest.mark.parametrize("there", ["ftp://127.0.0.1/x", "file:///etc/passwd"])
    def test_no_redirect_to_another_protocol(self, site, answer, fetch, there):
        url = site.at("file", answer(status=302, location=there))
        refuses(fetch, url, "redirects where we do not go")

    def test_no_redirect_from_https_to_http(self, part):
        def redirect(here, there):
            return _next_address(_Part(part, here), [here], there)

        with pytest.raises(DownloadError, match="do not go: from https to http"):
            redirect("https://a/x", "http://a/x")
        assert redirect("http://a/x", "https://a/x") == "https://a/x"
        assert redirect("https://a/x", "https://b/x") == "https://b/x"
        assert redirect("https://a/x", "/y") == "https://a/y"

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
    def test_only_http(self, fetch, url):
        refuses(fetch, url, "is not an http or https address")

    @pytest.mark.parametrize("url", ["weights", "http://a b/", "http://[x/"])
    def test_no_address(self, fetch, url):
        with pytest.raises(DownloadError, match="is not an"):
            fetch(url)

    def test_a_closed_port_is_final(self, closed_address, fetch):
        started = time.monotonic()
        refuses(fetch, f"{closed_address}/file", "cannot be reached: .*refused")
        assert time.monotonic() - started < 1

    @pytest.mark.parametrize("login", ["", "me:s%20ecret@"])
    def test_the_proxy_of_the_user(self, site, answer, fetch, monkeypatch, login):
        proxy = site.address.removeprefix("http://")
        monkeypatch.setenv("http_proxy", f"http://{login}{proxy}" if login else proxy)
        url = site.instead_of("http://nowhere.invalid/file", answer(BODY))
        assert fetch(url) == BODY
        expected = base64.b64encode(b"me:s ecret").decode() if login else None
        assert site.logins == [expected and f"Basic {expected}"]
        # `no_proxy` names this machine.
        assert fetch(site.at("file", answer(BODY))) == BODY
        assert site.requests[-1][0] == "/file"

    def test_a_server_says_when_to_ask_again(self, site, answer, fetch):
        busy = answer(status=503, retry_after="1")
        started = time.monotonic()
        assert fetch(site.at("file", busy, answer(BODY))) == BODY
        assert time.monotonic() - started >= 1

    def test_a_query_is_not_printed(self, site, fetch):
        url = f"{site.address}/absent?token=secret"
        with pytest.raises(DownloadError) as raised:
            fetch(url)
        assert "secret" not in str(raised.value)


class TestTimeouts:
    @pytest.mark.parametrize("stall_at", [0, 1000])
    def test_a_stall_ends(self, site, answer, fetch, stall_at):
        url = site.at("file", answer(BODY, stall_at=stall_at))
        started = time.monotonic()
        refuses(fetch, url, "in 3 attempts: the server stopped sending")
        assert time.monotonic() - started < 3
        assert len(site.requests) == 3

    def test_attempts_that_get_further_do_not_count(self, site, answer, fetch):
        body = bytes(6 << 20)
        cuts = [answer(body, cut_at=(1 << 20) + 1)] * 4
        url = site.at("file", *cuts, answer(body))
        assert fetch(url, Expected()) == body
        assert len(site.requests) == 5

    def test_after_a_stall_it_goes_on(self, site, answer, fetch):
        stalls = answer(BODY, stall_at=50_000)
        assert fetch(site.at("file", stalls, answer(BODY))) == BODY
        assert site.ranges() == [None, "bytes=50000-"]

    def test_a_slow_server_is_not_a_stalled_one(self, site, answer, fetch):
        slow = answer(BODY, piece_seconds=0.05)  # longer in all than the read timeout
        assert fetch(site.at("file", slow)) == BODY


class TestTruncation:
    @pytest.mark.parametrize("cut_at", CUTS)
    @pytest.mark.parametrize("way", ["length", "chunked", "no length"])
    def test_truncation_is_noticed_and_repaired(self, site, answer, fetch, cut_at, way):
        options = {
            "length": {},
            "chunked": {"chunked": True},
            "no length": {"said_length": None},
        }[way]
        cut = answer(BODY, cut_at=cut_at, **options)
        assert fetch(site.at("file", cut, answer(BODY))) == BODY
        assert len(site.requests) in (2, 3)

    @pytest.mark.parametrize("cut_at", [0, 1000, 199_999])
    @pytest.mark.parametrize("options", [{}, {"chunked": True}])
    def test_it_is_an_error_if_it_stays(self, site, answer, fetch, cut_at, options):
        cut = answer(BODY, cut_at=cut_at, etag=None, **options)
        url = site.at("file", cut)
        refuses(fetch, url, "could not be fetched in 3 attempts", expected=Expected())

    def test_without_a_length_the_digest_tells(self, site, answer, fetch):
        cut = answer(BODY, cut_at=1000, said_length=None, etag=None)
        refuses(fetch, site.at("file", cut), "its sha256 is")

    def test_what_came_is_kept(self, site, answer, fetch, part):
        refused = answer(status=500)
        url = site.at("file", answer(BODY, cut_at=100_000), refused)
        with pytest.raises(DownloadError, match="100,000 bytes are kept; try again"):
            fetch(url)
        assert part.read_bytes() == BODY[:100_000]
        site.at("file", answer(BODY))
        assert fetch(url) == BODY
        assert site.ranges()[-1] == "bytes=100000-"


class TestContent:
    def test_a_flipped_byte_is_refused(self, site, answer, fetch, part):
        flipped = bytearray(BODY)
        flipped[100_000] ^= 1
        url = site.at("file", answer(bytes(flipped)))
        refuses(fetch, url, f"its sha256 is .* not {SHA256}", WrongContentError)
        assert not part.exists()
        assert len(site.requests) == 1
        assert fetch(url, Expected()) == flipped

    def test_a_wrong_md5_is_refused(self, site, answer, fetch):
        url = site.at("file", answer(BODY))
        wrong = Expected(md5="0" * 32)
        refuses(fetch, url, f"its md5 is {MD5}", WrongContentError, wrong)
        assert fetch(url, Expected(md5=MD5)) == BODY

    @pytest.mark.parametrize(
        ("page", "content_type"),
        [
            (b"<p>Please log in", "text/html; charset=utf-8"),
            (b"\n <!DOCTYPE HTML><p>Please log in", "application/octet-stream"),
            (b"<html>", "application/gzip"),
        ],
    )
    def test_a_web_page_is_refused(self, site, answer, fetch, part, page, content_type):
        url = site.at("file", answer(page, content_type=content_type))
        refuses(fetch, url, "is a web page", WrongContentError, Expected())
        assert not part.exists()
        url = site.at("file", answer(b"weights <html>", content_type="text/plain"))
        assert fetch(url, Expected()) == b"weights <html>"

    def test_an_encoded_answer_is_refused(self, site, answer, fetch):
        url = site.at("file", answer(BODY, encoding="gzip"))
        refuses(fetch, url, "comes encoded", WrongContentError)


class TestSize:
    @pytest.mark.parametrize(
        "options", [{}, {"chunked": True}, {"said_length": None}], ids=str
    )
    def test_too_large_a_file_is_refused(self, site, answer, fetch, part, options):
        url = site.at("file", answer(BODY, **options))
        limit = Expected(sha256=SHA256, maximum_bytes=len(BODY) - 1)
        refuses(fetch, url, "is larger than 199,999 bytes", WrongContentError, limit)
        assert not part.exists()
        fits = Expected(sha256=SHA256, maximum_bytes=len(BODY))
        assert fetch(url, fits) == BODY

    def test_large_length_is_refused_before_the_content(self, site, answer, fetch):
        url = site.at("file", answer(BODY, said_length=10**15))
        refuses(fetch, url, "is larger than", WrongContentError)

    def test_small_length_ends_the_content(self, site, answer, fetch):
        url = site.at("file", answer(BODY, said_length=1000))
        refuses(fetch, url, "its sha256 is", WrongContentError)
        assert fetch(url, Expected()) == BODY[:1000]


class TestResume:
    def leave(self, part, url, content, validator='"1"'):
        part.write_bytes(content)
        note = {"url": url, "validator": validator}
        part.with_name("file.part.json").write_text(json.dumps(note))

    def test_a_part_is_continued(self, site, answer, fetch, part):
        url = site.at("file", answer(BODY))
        self.leave(part, url, BODY[:70_000])
        assert fetch(url) == BODY
        assert site.ranges() == ["bytes=70000-"]

    def test_a_server_without_ranges_sends_all(self, site, answer, fetch, part):
        url = site.at("file", answer(BODY, ranges=False))
        self.leave(part, url, BODY[:70_000])
        assert fetch(url, Expected()) == BODY

    def test_a_changed_file_starts_over(self, site, answer, fetch, part):
        changed = BODY[::-1]
        url = site.at("file", answer(changed, etag='"2"'))
        self.leave(part, url, BODY[:70_000])
        assert fetch(url, Expected()) == changed

    def test_a_server_that_ignores_if_range_is_noticed(self, site, answer, fetch, part):
        changed = BODY[::-1]
        url = site.at("file", answer(changed, etag='"2"', minds_if_range=False))
        self.leave(part, url, BODY[:70_000])
        assert fetch(url, Expected()) == changed
        assert site.ranges() == ["bytes=70000-", None]

    def test_a_change_between_two_parts_is_noticed(self, site, answer, fetch):
        changed = BODY[::-1]
        cut = answer(BODY, cut_at=50_000)
        url = site.at("file", cut, answer(changed, etag='"2"'))
        assert fetch(url, Expected()) == changed

    @pytest.mark.parametrize("etag", [None, 'W/"1"'])
    def test_without_a_firm_validator_it_starts_over(self, site, answer, fetch, etag):
        cut = answer(BODY, cut_at=50_000, etag=etag)
        assert fetch(site.at("file", cut, answer(BODY))) == BODY
        assert site.ranges() == [None, None]

    def test_a_part_of_another_address_is_not_continued(
        self, site, answer, fetch, part
    ):
        self.leave(part, "http://127.0.0.1/other", BODY[:70_000])
        assert fetch(site.at("file", answer(BODY)), Expected()) == BODY
        assert site.ranges() == [None]

    @pytest.mark.parametrize("note", ["", "[]", "{}", None])
    def test_a_part_without_its_note_is_not_continued(
        self, site, answer, fetch, part, note
    ):
        part.write_bytes(b"x" * 1000)
        if note is not None:
            part.with_name("file.part.json").write_text(note)
        assert fetch(site.at("file", answer(BODY)), Expected()) == BODY

    def test_a_damaged_part_is_noticed_and_fetched_anew(
        self, site, answer, fetch, part
    ):
        url = site.at("file", answer(BODY))
        self.leave(part, url, b"x" + BODY[1:70_000])
        assert fetch(url) == BODY
        assert site.ranges() == ["bytes=70000-", None]

    @pytest.mark.parametrize("extra", [b"", b"too much"])
    def test_part_not_shorter_than_the_file(self, site, answer, fetch, part, extra):
        url = site.at("file", answer(BODY))
        self.leave(part, url, BODY + extra)
        assert fetch(url) == BODY
        assert re.match("bytes=20000", site.ranges()[0])
