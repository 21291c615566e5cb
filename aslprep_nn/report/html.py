"""Templates to pages that need nothing but themselves."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

STYLE, SCRIPT = 'style.css', 'page.js'


def render(template: str, **context: object) -> str:
    """Fill a template, everything escaped.

    The content-security policy forbids every connection and any style or script but the two
    that come with this package: what an output folder holds cannot become code.
    """
    environment = Environment(
        loader=PackageLoader('aslprep_nn.report'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _asset(STYLE), _asset(SCRIPT)
    policy = '; '.join(
        [
            "default-src 'none'",
            'img-src data:',
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    trusted = {'style': Markup(style), 'script': Markup(script)}  # noqa: S704 - our own files
    return environment.get_template(template).render(policy=policy, **trusted, **context)


def data_uri(mime: str, data: bytes) -> str:
    """Write a file into its own address."""
    return f'data:{mime};base64,{base64.b64encode(data).decode()}'


def _asset(name: str) -> str:
    return files('aslprep_nn.report').joinpath('templates', name).read_text(encoding='utf-8')


def _digest(text: str) -> str:
    return 'sha256-' + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
