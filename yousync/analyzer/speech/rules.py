"""Letter-to-sound rules for words that no dictionary knows: English spelling, roughly.

A rule is `before letters after SOUNDS`; the first that fits says its letters, and the rest of the word follows.
`before` and `after` are regular expressions on what stands around, "-" is nothing. The last rule of each letter fits
anywhere.
"""

from __future__ import annotations

import re
from functools import cache

# V a vowel letter, C a consonant letter, E the ending that makes the vowel before it say its name: make, making, maker.
_SHORT = {
    "V": "[aeiouy]",
    "C": "[bcdfghjklmnpqrstvwxz]",
    "E": "(?:[bcdfgklmnpstvz]|th|ch)(?:e$|es$|ed$|er$|ers$|ing$|ely$)",
}
_RULES = """
^ a $ AH
- augh t AO
- augh - AE F
- au - AO
- aw - AO
- air - EH R
- ai - EY
- ay - EY
w ar - AO R
- are $ EH R
- ar V EH R
- ar - AA R
- all - AO L
- al k AO
- a (?:tion|sion|ste$|nge) EY
- a E EY
w a [nst] AA
V. al $ AH L
V.. al $ AH L
- a $ AH
V. a (?:nt$|nce$|ble$) AH
^ a CCV AE
- a - AE
- bb - B
m b $ -
- b - B
- cch - K
- ch [rl] K
- ch - CH
- ck - K
- cc [iey] K S
- cc - K
- ci (?:a|o) SH
- c [iey] S
- c - K
- dge - JH
- dg - JH
- dd - D
- d - D
^ e $ IY
^ eu - Y UW
Ct ed $ IH D
[td] ed $ IH D
[pkfsxh] ed $ T
V. ed $ D
V.. ed $ D
V es $ Z
[szx] es $ IH Z
[cs]h es $ IH Z
[cg] es $ IH Z
V[pkft] es $ S
V. es $ Z
- eigh - EY
- ear (?:n|th|ly|ch) ER
- ear - IH R
- eau - OW
- ea (?:d$|lth|sure|ther) EH
- ea - IY
- eer - IH R
- ee - IY
c ei - IY
- ei - EY
- ere $ IH R
- er V EH R
- er - ER
- eu - UW
- ew - UW
- ey $ IY
- ey - EY
^C?C? e $ IY
- e $ -
V. e (?:ly$|ment|ful|less|ness) -
V.. el $ AH L
V. el $ AH L
V. en $ AH N
V.. en $ AH N
V. e (?:nt$|nce$|ss$) AH
- e (?:[bcdfgklmnpstvz](?:e$|es$|ing$)) IY
^ e CV IH
- e - EH
- ff - F
- f - F
- ght - T
- gh $ -
^ gh - G
- gh - -
- gg - G
^ gn - N
- gn $ N
- gue $ G
- gu [ei] G
- g (?:e$|es$|ed$|y|in|ia|io|er|en|em) JH
- g - G
^ h - HH
- h V HH
- h - -
- i gh AY
- igh - AY
- ield - IY L D
- ie $ IY
- ie (?:s$|d$) IY
- ie (?:r|st) IY
- ie - IY
- ier - IH R
- io n Y AH
- ious - IY AH S
- ique - IY K
- ir e AY
- ir V IH R
- ir - ER
- i (?:nd$|ld$|gn$) AY
^C?C? i $ AY
- i $ IY
- i E AY
- i [aou] IY
- i - IH
- j - JH
^ kn - N
- kk - K
- k - K
C le $ AH L
C led $ AH L D
C les $ AH L Z
- ll - L
- l [fv]e?$ -
- l - L
- mm - M
- m - M
- ng (?:er|le|el|o|a) NG G
- ng - NG
- n [kx] NG
- nn - N
- n - N
- oar - AO R
- oa - OW
- oe $ OW
- oi - OY
- oor - AO R
- ook - UH K
- oo - UW
- ough t AO
- ough - AH F
- our (?:n|s|t) AO R
- our - AW ER
- ould - UH D
V. ous $ AH S
V.. ous $ AH S
- ou - AW
- ow $ OW
- ow (?:n$|s$|ed) OW
- ow - AW
- oy - OY
- ore - AO R
V. or $ ER
w or - ER
- or - AO R
V. o (?:n$|ns$) AH
ti o n AH
- o (?:ld|ll|st$) OW
- o $ OW
- o E OW
- o CV OW
- o - AA
- ph - F
^ ps - S
- pp - P
- p - P
- qu - K W
- q - K
- rh - R
- rr - R
- r - R
- sch - S K
- sh - SH
- sion - ZH AH N
- ssion - SH AH N
- ss - S
- sc [iey] S
V s (?:e$|es$|ed$|V) Z
[bdgvlmnr] s $ Z
[aeiouy] s $ Z
- s - S
- tch - CH
- tion - SH AH N
- ti (?:a|ou) SH
- ture - CH ER
- th (?:e|is|at|ose|er$) DH
- th - TH
- tt - T
- t - T
^ u n AH
^ u CV Y UW
- ui - UW
- ue $ UW
- ure $ Y ER
- ur - ER
[bfmpc] u E Y UW
- u E UW
[bfmpc] u C[aeiou] Y UW
- u CV UW
- u $ UW
[pbf] u (?:ll|sh|t$) UH
- u - AH
- v - V
^ wr - R
- who - HH UW
- wh - W
V w - -
- w - W
^ x - Z
- x - K S
^ y - Y
V y V Y
^C?C?C? y $ AY
- y $ IY
- y E AY
- yr - ER
- y - IH
- zz - Z
- z - Z
"""
_LETTER_NAMES = {
    "a": "EY",
    "b": "B IY",
    "c": "S IY",
    "d": "D IY",
    "e": "IY",
    "f": "EH F",
    "g": "JH IY",
    "h": "EY CH",
    "i": "AY",
    "j": "JH EY",
    "k": "K EY",
    "l": "EH L",
    "m": "EH M",
    "n": "EH N",
    "o": "OW",
    "p": "P IY",
    "q": "K Y UW",
    "r": "AA R",
    "s": "EH S",
    "t": "T IY",
    "u": "Y UW",
    "v": "V IY",
    "w": "D AH B AH L Y UW",
    "x": "EH K S",
    "y": "W AY",
    "z": "Z IY",
}
_UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_UNITS += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_YEARS = range(1100, 2000)


def spelled(word: str) -> tuple[str, ...]:
    """ARPAbet for a word of letters; one without a vowel is said letter by letter."""
    letters = re.sub("[^a-z]", "", word.lower())
    if not re.search("[aeiouy]", letters):
        return tuple(sound for letter in letters for sound in _LETTER_NAMES[letter].split())
    sounds: list[str] = []
    at = 0
    while at < len(letters):
        said, at = _said(letters, at)
        sounds += said
    return tuple(sounds) or tuple(_LETTER_NAMES[letters[0]].split())


def digits_spelled(digits: str) -> str:
    """A number in words: "1999" is a year, "007" and what is longer than nine digits are said one by one."""
    if len(digits) > 9 or (digits[0] == "0" and len(digits) > 1):
        return " ".join(_UNITS[int(digit)] for digit in digits)
    number = int(digits)
    if number in _YEARS and number % 100:
        return f"{_below_thousand(number // 100)} {'oh ' if number % 100 < 10 else ''}{_below_thousand(number % 100)}"
    said = []
    for size, name in ((10**6, "million"), (10**3, "thousand"), (1, "")):
        if share := number // size:
            said.append(f"{_below_thousand(share)} {name}".strip())
            number %= size
    return " ".join(said) or "zero"


def _below_thousand(number: int) -> str:
    said = [f"{_UNITS[number // 100]} hundred"] if number >= 100 else []
    number %= 100
    if number >= 20:
        said.append(_TENS[number // 10 - 2])
        number %= 10
    if number:
        said.append(_UNITS[number])
    return " ".join(said)


def _said(letters: str, at: int) -> tuple[list[str], int]:
    for before, letter_group, after, sounds in _compiled()[letters[at]]:
        end = at + len(letter_group)
        if letters.startswith(letter_group, at) and before.search(letters[:at]) and after.match(letters[end:]):
            return sounds, end
    raise AssertionError(letters)


@cache
def _compiled() -> dict[str, list[tuple[re.Pattern[str], str, re.Pattern[str], list[str]]]]:
    found: dict[str, list[tuple[re.Pattern[str], str, re.Pattern[str], list[str]]]] = {}
    for rule in _RULES.strip().splitlines():
        before, letters, after, *sounds = rule.split()
        before, after = ("" if side == "-" else side for side in (before, after))
        for short, long in _SHORT.items():
            before, after = before.replace(short, long), after.replace(short, long)
        said = [sound for sound in sounds if sound != "-"]
        found.setdefault(letters[0], []).append((re.compile(f"(?:{before})$"), letters, re.compile(after), said))
    return found
