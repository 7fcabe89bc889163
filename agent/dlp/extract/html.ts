/** HTML as text: what is shown, and what is not (attributes, comments, scripts), each in its place. */
import type { CharsetDecoder } from './charset.ts';
import { TextWriter, type Extraction } from './extraction.ts';
import { attributeValues, decodeReferences, localName, XmlTokens, type XmlHandler } from './xml-tokens.ts';
import { textDecoder } from './xml-text.ts';

/** U+00A0 to U+00FF in order. */
const LATIN =
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml'.split(
    ' ',
  );

const NAMED: Readonly<Record<string, string>> = {
  __proto__: null as never,
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
  ensp: '\u2002',
  emsp: '\u2003',
  thinsp: '\u2009',
  zwnj: '\u200C',
  zwj: '\u200D',
  ndash: '–',
  mdash: '—',
  lsquo: '‘',
  rsquo: '’',
  sbquo: '‚',
  ldquo: '“',
  rdquo: '”',
  bdquo: '„',
  bull: '•',
  hellip: '…',
  euro: '€',
  trade: '™',
  OElig: 'Œ',
  oelig: 'œ',
  Scaron: 'Š',
  scaron: 'š',
  Yuml: 'Ÿ',
  commat: '@',
  period: '.',
  comma: ',',
  colon: ':',
  semi: ';',
  num: '#',
  sol: '/',
  lowbar: '_',
  plus: '+',
  hyphen: '‐',
  dash: '‐',
  Tab: '\t',
  NewLine: '\n',
  ...Object.fromEntries(LATIN.map((name, index) => [name, String.fromCharCode(0xa0 + index)])),
};

const LINES: ReadonlySet<string> = new Set(
  'p div hr li ul ol dl dt dd tr table thead tbody tfoot caption h1 h2 h3 h4 h5 h6 blockquote pre section article header footer nav aside main form fieldset legend title option select textarea address figure figcaption html head body script style details summary'.split(
    ' ',
  ),
);

const VERBATIM: ReadonlySet<string> = new Set(['pre', 'textarea', 'script', 'style', 'xmp', 'listing']);

/** How a thing looks: no text that belongs to what it stands beside. */
const LOOKS =
  /(?<![\w-])(?:style|class|id|width|height|bgcolor|background|align|valign|face|lang|dir|cellpadding|cellspacing|sdnum|border)\s*=\s*(?:"([^"]*)"|'([^']*)')/gi;
const MAX_ASIDE = 65_536;

class HtmlText implements XmlHandler {
  readonly #writer: TextWriter;
  /** Elements inside which line breaks and spaces are shown as they stand. */
  #verbatim = 0;
  #atStart = true;
  /** Attributes are told after the line they are in, so that they do not part what is shown together. */
  #aside = '';
  /** Attributes that say how a thing looks, told at the end: they would part cells and blocks that stand together. */
  #looks = '';
  #rows = 0;

  constructor(writer: TextWriter) {
    this.#writer = writer;
  }

  open(name: string, attributes: string): void {
    const local = localName(name).toLowerCase();
    if (local === 'td' || local === 'th') this.#writer.add('\t');
    // The paragraph goes on behind it, and so may a value.
    else if (local === 'br') this.#break();
    else if (LINES.has(local)) this.#line();
    if (VERBATIM.has(local)) this.#verbatim += 1;
    if (local === 'tr') this.#rows += 1;
    if (!attributes.includes('=')) return;
    const told = attributes.replace(LOOKS, (_all, double?: string, single?: string) => {
      const value = double ?? single ?? '';
      if (value.length > 4) this.#looks += `${decodeReferences(value, NAMED)}\n`;
      return ' ';
    });
    for (const value of attributeValues(told))
      if (value.length > 4) this.#aside += `${decodeReferences(value, NAMED)}\n`;
    for (const [, value] of told.matchAll(/=\s*([^\s"'>]{5,4096})/g)) this.#aside += `${value ?? ''}\n`;
    if (this.#aside.length > MAX_ASIDE || this.#looks.length > MAX_ASIDE) this.#line(true);
  }

  close(name: string): void {
    const local = localName(name).toLowerCase();
    if (VERBATIM.has(local) && this.#verbatim > 0) this.#verbatim -= 1;
    if (local === 'tr' && this.#rows > 0) this.#rows -= 1;
    if (local === 'table') this.#rows = 0;
    if (LINES.has(local)) this.#line();
  }

  text(text: string): void {
    let shown = this.#verbatim > 0 ? text : text.replace(/[ \t\r\n\f]+/g, ' ');
    if (this.#verbatim === 0 && this.#atStart) shown = shown.trimStart();
    if (shown === '') return;
    this.#atStart = false;
    this.#writer.add(decodeReferences(shown, NAMED));
  }

  other(text: string): void {
    if (text.length > 4) this.#aside += `${text}\n`;
  }

  end(): void {
    this.#line(true);
    this.#writer.end();
  }

  #break(): void {
    this.#writer.add('\n');
    this.#atStart = true;
  }

  #line(all = false): void {
    this.#break();
    // What is held back is told behind the row, not between its cells.
    if (this.#aside !== '' && (this.#rows === 0 || all)) {
      this.#writer.add(this.#aside);
      this.#aside = '';
    }
    if (!all || this.#looks === '') return;
    this.#writer.add(this.#looks);
    this.#looks = '';
  }
}

/** Reads a page. `charset`: what a mail or server said of it. */
export async function readHtml(
  extraction: Extraction,
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>,
  path: string,
  charset?: string,
): Promise<void> {
  const handler = new HtmlText(new TextWriter(extraction, path));
  const tokens = new XmlTokens(handler);
  let decoder: CharsetDecoder | undefined;
  try {
    for await (const piece of bytes) {
      extraction.tick(piece.length);
      decoder ??= textDecoder(
        piece,
        charset ?? /charset\s*=\s*["']?([\w.:-]{1,40})/i.exec(piece.toString('latin1', 0, 4096))?.[1],
      );
      tokens.write(decoder.decode(piece, { stream: true }));
    }
  } finally {
    tokens.write(decoder?.decode() ?? '');
    tokens.end();
    handler.end();
  }
}
