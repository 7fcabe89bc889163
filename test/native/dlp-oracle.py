"""Numbers with the verdict of python3-stdnum, one "kind verdict number" per line. argv: count per kind and side, seed."""
import importlib
import os
import random
import re
import sys

COUNT = int(sys.argv[1])
rnd = random.Random(int(sys.argv[2]))
DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def module(name):
    return importlib.import_module("stdnum." + name)


def valid_by(name, **options):
    mod = module(name)

    def check(number):
        try:
            return bool(mod.validate(number, **options))
        except Exception:
            return False

    return check


def pick(template):
    """n digit, a letter, c either; anything else stays."""
    pools = {"n": DIGITS, "a": LETTERS, "c": DIGITS + LETTERS}
    return "".join(rnd.choice(pools[c]) if c in pools else c for c in template)


def dated(form):
    year, month, day = rnd.randint(1930, 2020), rnd.randint(1, 12), rnd.randint(1, 28)
    return form.format(Y=year, y=year % 100, m=month, d=day)


# Brands by first digits and lengths, from the issuers' own pages and ISO/IEC 7812.
CARDS = re.compile(
    r"^(4[0-9]{12}([0-9]{3}){0,2}"  # Visa
    r"|(5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|(30[0-5]|309|36[0-9]|38[0-9]|39[0-9])([0-9]{11}|[0-9]{13,16})"  # Diners Club
    r"|(6011|64[4-9][0-9]|65[0-9]{2}|62[0-9]{2}|81[0-6][0-9]|817[01]|35(2[89]|[3-8][0-9])|220[0-4])[0-9]{12,15}"
    r"|(60[0-9]{2}|8[12][0-9]{2}|508[0-9])[0-9]{12}"  # RuPay
    r"|(5018|5020|5038|5893|6304|6759|676[123])[0-9]{8,15})$"  # Maestro
)
CARD_FORMS = ["4" + "n" * 15, "4" + "n" * 12, "4" + "n" * 18, "34" + "n" * 13, "37" + "n" * 13, "51" + "n" * 14, "55" + "n" * 14,
              "2221" + "n" * 12, "2720" + "n" * 12, "6011" + "n" * 12, "65" + "n" * 14, "3528" + "n" * 12, "62" + "n" * 17,
              "36" + "n" * 12, "300" + "n" * 11, "2204" + "n" * 12, "6759" + "n" * 8, "508" + "n" * 13, "817199" + "n" * 10]


def luhn_card(number):
    return bool(CARDS.match(number)) and module("luhn").is_valid(number)


def npi(number):
    return len(number) == 10 and number[0] in "12" and module("luhn").is_valid("80840" + number)


def dea(number):
    # 21 CFR / DEA Diversion Control: odd digits plus twice the even ones, last digit of the sum.
    if not re.match(r"^[ABCDEFGHJKLMPRSTUX][A-Z9][0-9]{7}$", number):
        return False
    d = [int(c) for c in number[2:]]
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


def mbi(number):
    # CMS, "Understanding the MBI format".
    a, an = "[AC-HJKMNP-RT-Y]", "[0-9AC-HJKMNP-RT-Y]"
    return bool(re.match(f"^[1-9]{a}{an}[0-9]{a}{an}[0-9]{a}{a}[0-9][0-9]$", number))


def nino(number):
    # HMRC NIM39110.
    return bool(
        re.match(r"^(?!BG|GB|NK|KN|TN|NT|ZZ)[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z][0-9]{6}[A-D]$", number)
    )


CF_MONTHS = "ABCDEHLMPRST"
# Every country of the oracle's copy of the SWIFT registry, as (code, structure).
IBANS = [
    (prefix, props["bban"])
    for line in open(os.path.join(os.path.dirname(module("iban").__file__), "iban.dat"), encoding="utf-8")
    if not line.startswith("#")
    for prefix, props in [(line[:2], dict(re.findall(r'(\w+)="([^"]*)"', line)))]
]


def iban():
    # One country after the other, so that each gets its share.
    iban.at = getattr(iban, "at", -1) + 1
    code, structure = IBANS[iban.at % len(IBANS)]
    body = "".join("".join(pick(kind) for _ in range(int(n))) for n, kind in re.findall(r"(\d+)!([nac])", structure))
    check = module("iso7064.mod_97_10").calc_check_digits(body + code)
    return code + check + body


def icd10(number):
    # ICD-10-CM Official Guidelines, section I.A: 3 to 7 characters, the first a letter, the second a digit, the third a
    # digit (or A, B in newer chapters), X as placeholder, an extension of a letter or digit. U is reserved but for U07, U09.
    return bool(re.match(r"^([A-TV-Z][0-9][0-9AB]|U0[79])[0-9A-Z]{0,4}$", number))


# Kind, a candidate, the verdict, which characters are tried at the end until the candidate is valid.
KINDS = [
    ("card", lambda: pick(rnd.choice(CARD_FORMS)), luhn_card, DIGITS),
    ("iban", iban, valid_by("iban", check_country=False), None),
    ("us_ssn", lambda: pick("nnnnnnnnn"), valid_by("us.ssn"), DIGITS),
    ("us_npi", lambda: rnd.choice("12") + pick("nnnnnnnnn"), npi, DIGITS),
    ("us_dea", lambda: rnd.choice("ABFM") + pick("annnnnnn"), dea, DIGITS),
    ("us_mbi", lambda: pick("naanaanaann"), mbi, DIGITS),
    ("icd10", lambda: rnd.choice("AEIJKMSTUVZ") + pick("nc"[: rnd.randint(1, 2)]).ljust(2, "0")[:2] + pick("cccc")[: rnd.randint(0, 4)], icd10, None),
    ("es_dni", lambda: pick("nnnnnnnna"), valid_by("es.dni"), LETTERS),
    ("es_nie", lambda: rnd.choice("XYZ") + pick("nnnnnnna"), valid_by("es.nie"), LETTERS),
    ("uk_nino", lambda: pick("aannnnnna"), nino, LETTERS),
    ("uk_nhs", lambda: pick("nnnnnnnnnn"), valid_by("gb.nhs"), DIGITS),
    ("fr_nir", lambda: rnd.choice("12") + dated("{y:02}{m:02}") + rnd.choice(["75", "2A", "2B", "13"]) + pick("nnnnnn") + pick("nn"), valid_by("fr.nir"), None),
    ("de_idnr", lambda: "".join(rnd.sample(DIGITS, 9)) + pick("nn"), valid_by("de.idnr"), DIGITS),
    ("it_codice_fiscale", lambda: pick("aaaaaa") + "%02d" % rnd.randint(0, 99) + rnd.choice(CF_MONTHS) + "%02d" % (rnd.randint(1, 28) + rnd.choice([0, 40])) + pick("annna"), valid_by("it.codicefiscale"), LETTERS),
    ("br_cpf", lambda: pick("nnnnnnnnnnn"), valid_by("br.cpf"), None),
    ("br_cnpj", lambda: pick("nnnnnnnnnnnnnn"), valid_by("br.cnpj"), None),
    ("in_aadhaar", lambda: pick("nnnnnnnnnnnn"), valid_by("in_.aadhaar"), DIGITS),
    ("in_pan", lambda: pick("aaa") + rnd.choice("PCHF") + pick("annnna"), valid_by("in_.pan"), LETTERS),
    ("ca_sin", lambda: rnd.choice("1234567") + pick("nnnnnnnn"), valid_by("ca.sin"), DIGITS),
    ("au_tfn", lambda: pick("nnnnnnnnn"), valid_by("au.tfn"), DIGITS),
    ("nl_bsn", lambda: pick("nnnnnnnnn"), valid_by("nl.bsn"), DIGITS),
    ("pl_pesel", lambda: dated("{y:02}{m:02}{d:02}") + pick("nnnnn"), valid_by("pl.pesel"), DIGITS),
    ("se_personnummer", lambda: dated("{y:02}{m:02}{d:02}") + pick("nnnn"), valid_by("se.personnummer"), DIGITS),
    ("cn_resident", lambda: rnd.choice(["110105", "310115", "440305", "510107"]) + dated("{Y}{m:02}{d:02}") + pick("nnnn"), valid_by("cn.ric"), DIGITS + "X"),
    ("be_national", lambda: dated("{y:02}{m:02}{d:02}") + pick("nnnnn"), valid_by("be.nn"), None),
    ("ch_ahv", lambda: "756" + pick("nnnnnnnnnn"), valid_by("ch.ssn"), DIGITS),
    ("dk_cpr", lambda: dated("{d:02}{m:02}{y:02}") + rnd.choice("0123") + pick("nnn"), valid_by("dk.cpr"), DIGITS),
    ("fi_hetu", lambda: dated("{d:02}{m:02}") + pick("nn") + "A" + rnd.choice("012345678") + pick("nnn"), valid_by("fi.hetu"), DIGITS + LETTERS),
    ("no_fodselsnummer", lambda: dated("{d:02}{m:02}") + "%02d" % rnd.randint(40, 99) + rnd.choice("01234") + pick("nnnn"), valid_by("no.fodselsnummer"), None),
    ("tr_kimlik", lambda: rnd.choice("123456789") + pick("nnnnnnnnnn"), valid_by("tr.tckimlik"), None),
    ("kr_rrn", lambda: dated("{y:02}{m:02}{d:02}") + rnd.choice("1234") + pick("nnnnnn"), valid_by("kr.rrn"), DIGITS),
    ("mx_curp", lambda: pick("aaaa") + "%02d" % rnd.randint(30, 99) + dated("{m:02}{d:02}") + rnd.choice("HM") + rnd.choice(["AS", "DF", "JC", "NL"]) + pick("aaann"), valid_by("mx.curp"), DIGITS),
    ("za_id", lambda: dated("{y:02}{m:02}{d:02}") + pick("nnnn") + rnd.choice("01") + pick("nn"), valid_by("za.idnr"), DIGITS),
    ("pt_nif", lambda: rnd.choice("123") + pick("nnnnnnnn"), valid_by("pt.nif"), DIGITS),
    ("ie_pps", lambda: pick("nnnnnnna"), valid_by("ie.pps"), LETTERS),
    ("il_id", lambda: pick("nnnnnnnnn"), valid_by("il.idnr"), DIGITS),
    ("us_itin", lambda: "9" + pick("nn") + rnd.choice(["70", "88", "90", "94"]) + pick("nnnn"), valid_by("us.itin"), None),
    ("us_routing", lambda: rnd.choice(["01", "12", "21", "32", "61", "72"]) + pick("nnnnnnn"), valid_by("us.rtn"), DIGITS),
]

# Kinds whose check digits are the last two: numbers are made valid by trying all of them.
TWO = {"fr_nir", "br_cpf", "br_cnpj", "be_national", "no_fodselsnummer", "tr_kimlik"}


def made_valid(kind, candidate, check, last):
    if check(candidate):
        return candidate
    ends = [c for c in last] if last else (["%02d" % i for i in range(100)] if kind in TWO else [])
    for end in ends:
        number = candidate[: len(candidate) - len(end)] + end
        if check(number):
            return number
    return None


def mutated(number):
    i = rnd.randrange(len(number))
    how = rnd.randrange(4)
    if how == 0 and i + 1 < len(number):
        return number[:i] + number[i + 1] + number[i] + number[i + 2 :]
    if how == 1:
        return number[:i] + number[i + 1 :]
    if how == 2 and len(number) > 8:
        return number[:i] + rnd.choice(DIGITS) + number[i:]
    pool = DIGITS if number[i].isdigit() else LETTERS
    return number[:i] + rnd.choice(pool) + number[i + 1 :]


for kind, make, check, last in KINDS:
    found = []
    tries = 0
    while len(found) < COUNT and tries < COUNT * 60:
        tries += 1
        number = made_valid(kind, make(), check, last)
        if number:
            found.append(number)
    if len(found) < COUNT:
        sys.exit(f"{kind}: only {len(found)} valid numbers were found")
    for number in found:
        print(kind, 1, number)
        other = mutated(number)
        print(kind, int(check(other)), other)
