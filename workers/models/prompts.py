"""What the language model is told: the brief first, so that jobs of one brief share it, then the channel's ask."""

from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from schemas.channels import ChannelSpec, channels
from schemas.jobs import Brief, Style

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


def prompt_of(tokenizer: Any, brief: Brief) -> Prompt:
    """Return the prompt of a brief in the tokenizer's own chat format; plain text where it has none."""
    ask = ask_text(channels()[brief.channel], brief.style, brief.locale)
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
