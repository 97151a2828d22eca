"""Which container an endpoint runs. Pure.

TEI is published as one image per GPU generation (README of text-embeddings-inference, "Docker
Images"); an image for another generation does not start. The management API takes the container as
an object with one key that names its kind.
"""

from __future__ import annotations

from langchain_hfendpoint.errors import ConfigurationError

_TEI_IMAGE = "ghcr.io/huggingface/text-embeddings-inference"
_TEI_VERSION = "1.9"
# The order matters: "a100" contains "a10".
_TAG_PREFIX_OF_GPU = {
    "t4": "turing-",
    "a100": "",
    "a10": "86-",
    "l4": "89-",
    "h100": "hopper-",
    "h200": "hopper-",
    "b200": "100-",
    "rtx-pro-6000": "120-",
}
_TAG_PREFIX_OF_ANY_GPU = "cuda-"


def image_payload(
    image: str, *, accelerator: str, instance_type: str
) -> dict[str, dict[str, str]] | None:
    """Choose the container of a new endpoint.

    Args:
        image: `"tei"`, `"default"` for Hugging Face's own container, or the URL of a TEI image.
        accelerator: `"cpu"` or `"gpu"`.
        instance_type: Kind of machine, such as `"nvidia-l4"`.

    Returns:
        The container as the management API takes it, or `None` for its default.

    Raises:
        ConfigurationError: If there is no TEI image for the accelerator, or `image` is neither a
            known word nor a URL.
    """
    if image == "default":
        return None
    if image == "tei":
        url = f"{_TEI_IMAGE}:{_tei_tag(accelerator, instance_type)}"
    elif "/" in image:
        url = image
    else:
        raise ConfigurationError(
            f"image={image!r} is not known. Give 'tei', 'default' or the URL of a TEI image."
        )
    return {"tei": {"url": url, "healthRoute": "/health"}}


def _tei_tag(accelerator: str, instance_type: str) -> str:
    if accelerator == "cpu":
        return f"cpu-{_TEI_VERSION}"
    if accelerator != "gpu":
        raise ConfigurationError(
            f"There is no TEI image for the accelerator {accelerator!r}: use cpu or gpu, "
            "or image='default'."
        )
    prefix = next(
        (tag for gpu, tag in _TAG_PREFIX_OF_GPU.items() if gpu in instance_type.lower()),
        _TAG_PREFIX_OF_ANY_GPU,
    )
    return f"{prefix}{_TEI_VERSION}"
