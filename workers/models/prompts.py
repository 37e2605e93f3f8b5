"""What the language model is told: the brief first, so that jobs of one brief share it, then the channel's ask."""

from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from schemas.channels import ChannelSpec, channels
from schemas.jobs import Brief, Revision
from schemas.reasons import reasons
from schemas.styles import Style

SYSTEM = "You are an advertising copywriter. You write short, clear and truthful ad copy."
STYLES = {
    Style.BENEFIT: "Say what the customer gets.",
    Style.QUESTION: "Open with a question.",
    Style.MOMENT: "Start from the customer's moment.",
    Style.DETAIL: "Lead with one concrete fact.",
    Style.ACTION: "Invite the reader to act.",
}
LANGUAGES = {
    "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "es": "Spanish", "fi": "Finnish", "fr": "French",
    "hu": "Hungarian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nb": "Norwegian", "nl": "Dutch",
    "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian",
    "zh": "Chinese",
}  # fmt: skip


MOST_TOLD_LINES = 3


@dataclass(frozen=True)
class Prompt:
    """Token ids of one prompt: the part that all jobs of a brief share, and the rest."""

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]


def brief_text(brief: Brief) -> str:
    """Return what is known about the product and its reader, one fact a line; what is not given is not named."""
    product = brief.product
    facts = {
        "Brand": brief.brand.name,
        "Product": product.name,
        "About": product.description or brief.brand.description,
        "Price": product.price,
        "Offer": product.offer,
        "Audience": brief.audience.description,
        "Voice": brief.brand.voice,
    }
    return "\n".join(f"{name}: {' '.join(value.split())}" for name, value in facts.items() if value)


def ask_text(spec: ChannelSpec, style: Style, locale: str) -> str:
    """Return what shall be written: channel, limit and style, and the language unless it is English."""
    language = locale.partition("-")[0]
    tongue = "" if language == "en" else f" in {LANGUAGES.get(language, locale)}"
    return f"Write one {spec.asks_for}{tongue}, at most {spec.max_characters} characters. {STYLES[style]}"


def revision_text(revision: Revision) -> str:
    """Return what was rejected before and why, the last lines only: a prompt is no archive."""
    pairs = list(zip(revision.rejected, revision.reasons, strict=False))[-MOST_TOLD_LINES:]
    told = (f'"{text}" was rejected because it {_why(reason)}.' for text, reason in pairs)
    return " ".join((*told, "Write something different."))


def _why(reason: str) -> str:
    # A reason may have been taken off the list since.
    return reasons()[reason].told if reason in reasons() else "was not liked"


def prompt_of(tokenizer: Any, brief: Brief, *, tells_revision: bool = True) -> Prompt:
    """Return the prompt of a brief in the tokenizer's own chat format; plain text where it has none.

    A model that was taught one form of prompt is not told what was rejected before.
    """
    ask = ask_text(channels()[brief.channel], brief.style, brief.locale)
    if brief.revision and tells_revision:
        ask = f"{ask} {revision_text(brief.revision)}"
    facts = brief_text(brief)
    if tokenizer.chat_template:
        text = _chat_text(tokenizer, f"{facts}\n\n{ask}")
    else:
        text = f"{tokenizer.bos_token or ''}{facts}\n\n{ask}\n\nText:"
    cut = text.rindex(ask)
    return Prompt(prefix=_encode(tokenizer, text[:cut]), suffix=_encode(tokenizer, text[cut:]))


def _chat_text(tokenizer: Any, request: str) -> str:
    roles = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": request}]
    try:
        text = tokenizer.apply_chat_template(roles, tokenize=False, add_generation_prompt=True)
    except TemplateError:
        # Some formats know no system role: its text then opens the request.
        merged = [{"role": "user", "content": f"{SYSTEM}\n\n{request}"}]
        text = tokenizer.apply_chat_template(merged, tokenize=False, add_generation_prompt=True)
    return str(text)


def _encode(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
