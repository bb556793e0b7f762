"""All settings in one place: from `RAG_*` in the environment, from `.env`, or by keyword."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def credentials(auth: str) -> dict[str, str]:
    """What each user shows: `name:password`, or the password alone, which is that of user "".

    :raises ValueError: if a part is empty, lacks its name or is there twice; no password is in the message.
    """
    if ":" not in auth:
        if not auth.strip():
            raise ValueError("the password is empty")
        return {"": auth.strip()}
    found: dict[str, str] = {}
    for number, part in enumerate(auth.split(","), 1):
        name, _, password = (text.strip() for text in part.partition(":"))
        if not (name and password) or name in found:
            raise ValueError(f"number {number} of the users is not name:password, or has a name that another has")
        found[name] = f"{name}:{password}"
    return found


def _split(value: Any) -> Any:
    return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value


def _hidden(value: Any) -> Any:
    return SecretStr(value) if isinstance(value, str) else value


def _readable(auth: SecretStr) -> SecretStr:
    credentials(auth.get_secret_value())
    return auth


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]  # in the environment, with commas between them
Auth = Annotated[SecretStr, AfterValidator(_readable), BeforeValidator(_hidden)]  # hidden first, as errors show it


class Settings(BaseSettings):
    """What a `Rag` is told. A keyword beats the environment, which beats `.env`; a ValueError says what is wrong."""

    model_config = SettingsConfigDict(
        env_prefix="RAG_",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        dotenv_filtering="match_prefix",  # other programs' lines in .env are theirs
        frozen=True,
        extra="forbid",
    )

    corpus_dir: Path = Field(default=Path("corpus"), description="the folder of documents")
    index_dir: Path = Field(default=Path("index"), description="what is built from them; can always be rebuilt")
    data_dir: Path = Field(
        default=Path("data"),
        description="what would be missed: conversations, feedback, the trash, and what was excluded",
    )
    auto_ingest: bool = Field(default=True, description="build a missing index, and update a stale one, when asked")

    embedding_model: str = Field(default="all-MiniLM-L6-v2", description="of sentence-transformers: a name or a folder")
    embedding_precision: Literal["int8", "fp32"] = Field(
        default="int8", description="of all-MiniLM-L6-v2: int8 is faster; an index keeps the one it was built with"
    )
    reranker: str | None = Field(
        default=None, description="a sentence-transformers CrossEncoder, name or folder, that orders the best 30 anew"
    )
    max_files: int = Field(default=10_000, ge=1, description="files that come after so many are reported, not read")
    max_passages: int = Field(default=200_000, ge=1, description="of all documents; a file beyond is reported")
    max_file_mb: int = Field(default=50, ge=1, description="larger files are reported, not read")
    max_chars: int = Field(default=5_000_000, ge=1, description="longer texts are reported, not indexed")
    max_pages: int = Field(default=2000, ge=1, description="longer PDFs are reported, not read")
    max_zip_entries: int = Field(
        default=2000, ge=1, description="files within one .docx, .pptx, .xlsx or .epub; with more it is reported"
    )
    max_zip_mb: int = Field(default=100, ge=1, description="of these, unpacked")
    max_zip_ratio: int = Field(default=100, ge=1, description="of unpacked to packed, above 1 MB")
    max_parse_s: int = Field(default=60, ge=1, description="seconds of computing that reading one file may take")
    max_parse_mb: int = Field(default=700, ge=200, description="memory that reading one file may take; not on macOS")
    ocr: str = Field(
        default="",
        description="languages, such as eng or eng+deu, in which Tesseract reads scanned pages of PDFs",
    )
    max_question_chars: int = Field(default=4000, ge=1, description="longer questions are refused")
    passages: int = Field(default=8, ge=1, le=100, description="how many passages are considered for an answer")

    llm: str = Field(default="extractive", description="extractive, or a model such as openai:gpt-5-mini")
    llms: Names = Field(
        default=(), description="further models, separated by commas, that the page offers beside it and extractive"
    )
    llm_base_url: str | None = Field(default=None, description="the address of an OpenAI-compatible server")
    llm_api_key: SecretStr | None = Field(default=None, description="its key; without it, the provider's own variable")
    llm_timeout_s: float = Field(default=120, gt=0, description="how long to wait for the model, in two tries")
    llm_context_tokens: int = Field(default=6000, ge=1000, description="the weakest passages are left out above it")
    unsupported: Literal["mark", "drop"] = Field(default="mark", description="or drop: the LLM's unfounded sentences")

    host: str = Field(default="127.0.0.1", description="the address that the page listens on")
    port: int = Field(default=7860, ge=0, le=65535, description="the port that the page listens on")
    allowed_hosts: Names = Field(
        default=(), description="names, besides those of this machine, under which the page may be asked for"
    )
    auth: Auth | None = Field(
        default=None, description="who may come in: one password, or name:password pairs separated by commas"
    )

    def with_llm(self, name: str) -> "Settings":
        """The same with another model; the address and the key stay those of the first provider, and go to no other."""
        first = next((one for one in (self.llm, *self.llms) if one != "extractive"), name)
        apart = first.partition(":")[0] != name.partition(":")[0]
        return self.model_copy(update={"llm": name} | ({"llm_base_url": None, "llm_api_key": None} if apart else {}))
