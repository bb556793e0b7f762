"""The corpus folder: what counts as a document, what comes in, what goes out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rag.documents.corpus import Corpus
from rag.errors import CorpusError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def town(corpus: Path, data: Path) -> Corpus:
    return Corpus(corpus, data)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- What counts --------------------------------------------------------------------------------------------------


def test_every_file_counts_by_its_path_below_the_corpus_in_alphabetical_order(town: Corpus) -> None:
    assert list(town.stamps()) == ["bakery.txt", "deep/museum.md", "harbour.md"]
    assert town.sources() == set(town.stamps())
    assert (town.path / "deep/museum.md").is_file()


def test_hidden_files_editors_locks_and_folders_are_left_out(town: Corpus, corpus: Path) -> None:
    for name in (".hidden.md", "~$bakery.txt", ".git/config.txt", "deep/.obsidian/notes.md", "deep/.DS_Store"):
        (corpus / name).parent.mkdir(exist_ok=True)
        (corpus / name).write_text("no document")
    (corpus / "folder.md").mkdir()

    assert list(town.stamps()) == ["bakery.txt", "deep/museum.md", "harbour.md"]


def test_links_out_of_the_corpus_are_left_out_and_links_within_it_count(
    town: Corpus, corpus: Path, outside: Path
) -> None:
    (outside / "secret.txt").write_text("not yours")
    (corpus / "link.txt").symlink_to(outside / "secret.txt")
    (corpus / "folder").symlink_to(outside)
    (corpus / "broken.txt").symlink_to(corpus / "nowhere.txt")
    (corpus / "loop.txt").symlink_to(corpus / "loop.txt")
    (corpus / "within.txt").symlink_to(corpus / "bakery.txt")

    assert list(town.stamps()) == ["bakery.txt", "deep/museum.md", "harbour.md", "within.txt"]


def test_what_is_no_regular_file_is_left_out(town: Corpus, corpus: Path) -> None:
    os.mkfifo(corpus / "pipe.txt")

    assert "pipe.txt" not in town.stamps()


def test_what_is_left_out_is_told_with_its_reason(town: Corpus, corpus: Path, outside: Path) -> None:
    os.mkfifo(corpus / "pipe.txt")
    (corpus / "deep" / "link.txt").symlink_to(outside)
    (corpus / "null.txt").symlink_to("/dev/zero")
    Path(os.fsdecode(os.fsencode(corpus) + b"/caf\xe9.txt")).write_text("old name")
    for name in (".hidden.md", "~$bakery.docx", ".~lock.bakery.odt#", ".starters.json"):
        (corpus / name).write_text("no document")

    told = dict(town.left_out())

    assert {source: why.split(",")[0].split(";")[0] for source, why in told.items()} == {
        "pipe.txt": "it is a pipe",
        "deep/link.txt": "it is a link that leads out of the folder",
        "null.txt": "it is a link that leads out of the folder",
        "caf\\udce9.txt": "its name is not UTF-8",
        ".hidden.md": "hidden files",
    }
    assert told[".hidden.md"].endswith("3 here")


def test_a_corpus_reached_through_a_link_is_read(corpus: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(corpus)

    assert len(Corpus(tmp_path / "way", data).stamps()) == 3


def test_a_stamp_changes_with_the_file(town: Corpus, corpus: Path) -> None:
    before = town.stamps()
    (corpus / "bakery.txt").write_text("closed")

    changed = {source for source, stamp in town.stamps().items() if before[source] != stamp}

    assert changed == {"bakery.txt"}


def test_a_digest_depends_on_the_content_alone(town: Corpus, corpus: Path) -> None:
    (corpus / "copy.txt").write_bytes((corpus / "bakery.txt").read_bytes())

    assert town.digest("copy.txt") == town.digest("bakery.txt") != town.digest("harbour.md")
    assert town.digest("gone.txt") == ""


def test_a_missing_folder_is_named_with_a_way_out(tmp_path: Path, data: Path) -> None:
    town = Corpus(tmp_path / "nowhere", data)

    with pytest.raises(CorpusError, match="nowhere") as error:
        town.stamps()
    assert "RAG_CORPUS_DIR" in str(error.value)
    assert town.sources() == set()


def test_an_empty_folder_is_named_with_what_to_put_there(tmp_path: Path, data: Path) -> None:
    (tmp_path / "bare").mkdir()

    with pytest.raises(CorpusError, match="bare") as error:
        Corpus(tmp_path / "bare", data).stamps()
    assert ".pdf" in str(error.value)


# --- Coming in ----------------------------------------------------------------------------------------------------


def test_a_file_is_copied_in_under_its_name(town: Corpus, corpus: Path, outside: Path) -> None:
    (outside / "ferry.txt").write_text("07:40")

    assert town.copy_in([outside / "ferry.txt"]) == ["ferry.txt"]
    assert (corpus / "ferry.txt").read_text() == "07:40"
    assert (outside / "ferry.txt").exists()


def test_a_name_taken_by_other_content_gets_a_suffix_and_nothing_is_overwritten(
    town: Corpus, corpus: Path, outside: Path
) -> None:
    before = _contents(corpus)
    (outside / "bakery.txt").write_text("another bakery")
    town.copy_in([outside / "bakery.txt"])
    (outside / "bakery.txt").write_text("a third bakery")

    assert town.copy_in([outside / "bakery.txt"]) == ["bakery-3.txt"]
    assert _contents(corpus) == before | {"bakery-2.txt": b"another bakery", "bakery-3.txt": b"a third bakery"}


def test_the_same_content_under_the_same_name_is_not_copied_again(town: Corpus, corpus: Path, outside: Path) -> None:
    (outside / "bakery.txt").write_text("another bakery")

    assert town.copy_in([outside / "bakery.txt"]) == town.copy_in([outside / "bakery.txt"]) == ["bakery-2.txt"]
    assert len(_contents(corpus)) == 4


def test_a_name_taken_by_a_folder_gets_a_suffix(town: Corpus, corpus: Path, outside: Path) -> None:
    (corpus / "notes.txt").mkdir()
    (outside / "notes.txt").write_text("a file")

    assert town.copy_in([outside / "notes.txt"]) == ["notes-2.txt"]


def test_a_folder_comes_in_whole_under_its_own_name(town: Corpus, corpus: Path, outside: Path) -> None:
    (outside / "a" / "b").mkdir(parents=True)
    (outside / "a" / "b" / "one.txt").write_text("1")
    (outside / "a" / "two.md").write_text("2")
    (outside / "a" / ".git").mkdir()
    (outside / "a" / ".git" / "config").write_text("hidden")

    assert town.copy_in([outside / "a"]) == ["a/b/one.txt", "a/two.md"]
    assert not (corpus / "a" / ".git").exists()


def test_of_a_folder_nothing_comes_in_that_lies_outside_of_it(
    town: Corpus, outside: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (outside / "secret.txt").write_text("not yours")
    (outside / "a").mkdir()
    (outside / "a" / "one.txt").write_text("1")
    (outside / "a" / "link.txt").symlink_to(outside / "secret.txt")
    os.mkfifo(outside / "a" / "pipe.txt")

    assert town.copy_in([outside / "a"]) == ["a/one.txt"]
    assert "link.txt: it is a link" in caplog.text and "pipe.txt: it is a pipe" in caplog.text


def test_a_pipe_cannot_be_copied_in(town: Corpus, outside: Path) -> None:
    os.mkfifo(outside / "pipe.txt")

    with pytest.raises(CorpusError, match=r"pipe\.txt.*Nothing was copied"):
        town.copy_in([outside / "pipe.txt"])


def test_what_lies_in_the_corpus_is_not_copied(town: Corpus, corpus: Path, tmp_path: Path) -> None:
    before = _contents(corpus)

    assert town.copy_in([corpus / "bakery.txt", corpus / "deep"]) == ["bakery.txt", "deep/museum.md"]
    assert sorted(town.copy_in([corpus])) == sorted(town.sources())
    assert _contents(corpus) == before


def test_what_is_copied_overwrites_nothing_and_is_not_copied_twice(town: Corpus, corpus: Path, outside: Path) -> None:
    (outside / "deep").mkdir()
    (outside / "deep" / "museum.md").write_text("another museum")
    (outside / "deep" / "ferry.txt").write_text("07:40")

    for _ in range(2):
        assert town.copy_in([outside / "deep"]) == ["deep/ferry.txt", "deep/museum-2.md"]
    assert "bakery.txt" in town.sources() and not (corpus / "ferry.txt").exists()


@pytest.mark.parametrize(
    ("name", "source"), [(".ferry.txt", "ferry.txt"), ("~$ferry.txt", "ferry.txt"), ("~$", "unnamed")]
)
def test_a_hidden_file_that_is_asked_for_comes_in_and_counts(
    town: Corpus, outside: Path, name: str, source: str
) -> None:
    (outside / name).write_text("07:40")

    assert town.copy_in([outside / name]) == [source]
    assert source in town.sources()


def test_a_missing_path_is_named_and_nothing_is_copied(town: Corpus, corpus: Path, outside: Path) -> None:
    (outside / "ferry.txt").write_text("07:40")
    before = _contents(corpus)

    with pytest.raises(CorpusError, match=r"no-such\.txt"):
        town.copy_in([outside / "ferry.txt", outside / "no-such.txt"])
    assert _contents(corpus) == before


def test_a_corpus_folder_is_made_for_what_comes_in(tmp_path: Path, data: Path, outside: Path) -> None:
    (outside / "ferry.txt").write_text("07:40")
    town = Corpus(tmp_path / "new" / "corpus", data)

    town.copy_in([outside / "ferry.txt"])

    assert list(town.stamps()) == ["ferry.txt"]


def test_a_full_disk_leaves_no_half_document(
    town: Corpus, corpus: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outside / "ferry.txt").write_text("07:40")
    before = _contents(corpus)

    def fill(source: Path, target: Path, **_: object) -> None:
        Path(target).write_text("07")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", fill)
    with pytest.raises(CorpusError, match="No space left"):
        town.copy_in([outside / "ferry.txt"])

    assert _contents(corpus) == before


# --- Going out ----------------------------------------------------------------------------------------------------


def test_the_trash_keeps_what_was_deleted_and_overwrites_nothing(town: Corpus, corpus: Path, data: Path) -> None:
    kept = []
    for text in ("first", "second", "third"):
        (corpus / "deep" / "ferry.txt").write_text(text)
        kept.append(town.trash("deep/ferry.txt"))

    assert [path.read_text() for path in kept] == ["first", "second", "third"]
    assert all(path.is_relative_to(data / "trash") for path in kept)
    assert not (corpus / "deep" / "ferry.txt").exists()


def test_what_is_excluded_stays_and_is_left_out_by_every_later_corpus(town: Corpus, corpus: Path, data: Path) -> None:
    town.exclude("bakery.txt")

    assert (corpus / "bakery.txt").exists()
    assert "bakery.txt" not in Corpus(corpus, data).stamps()
    assert Corpus(corpus, data).excluded() == {"bakery.txt"}


def test_a_corpus_in_which_all_is_excluded_counts_as_empty(town: Corpus) -> None:
    for source in town.sources():
        town.exclude(source)

    with pytest.raises(CorpusError, match="no documents"):
        town.stamps()


def test_copying_in_lifts_an_exclusion_and_no_other(town: Corpus, corpus: Path, outside: Path) -> None:
    town.exclude("bakery.txt")
    town.exclude("harbour.md")
    (outside / "bakery.txt").write_bytes((corpus / "bakery.txt").read_bytes())

    assert town.copy_in([outside / "bakery.txt"]) == ["bakery.txt"]
    assert "bakery.txt" in town.sources()
    assert town.excluded() == {"harbour.md"}


@pytest.mark.parametrize("content", ["{not json", "17", "\x00", '[["a"]]'])
def test_a_damaged_list_of_exclusions_is_named_with_a_way_out(town: Corpus, data: Path, content: str) -> None:
    data.mkdir()
    (data / "excluded.json").write_text(content)

    with pytest.raises(CorpusError, match=r"excluded\.json") as error:
        town.stamps()
    assert "delete it" in str(error.value)
