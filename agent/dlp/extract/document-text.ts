/**
 * Text of documents: word processing, presentations, OpenDocument. What is shown together stays together: runs join,
 * paragraphs and cells part, and what only hangs on a place (notes, boxes, remarks, field codes, descriptions, deleted
 * text) is told after the paragraph or row it is in.
 */
import type { TextWriter } from './extraction.ts';
import { attribute, attributeValues, localName, type XmlHandler } from './xml-tokens.ts';

/** Of what is held back: a paragraph, and what is told after it. */
const MAX_HELD = 64 * 1024;
/** Stories inside stories; text of deeper ones joins the one they are in. */
const MAX_STORIES = 64;

/** Elements that have a text of their own in the middle of another. */
const STORIES: ReadonlySet<string> = new Set([
  'txbxContent',
  'text-box',
  'annotation',
  'note',
  'rt',
  'ruby-text',
  'title',
  'desc',
  'Fallback',
]);
/** Attributes that people write or read. */
const TOLD =
  /(?:^|[\s:])(?:descr|title|alt|string|instr|instruction|href|author|displayText|alias|formula|condition|expression|string-value|name|description|comment|prompt|error|promptTitle|errorTitle|tooltip)\s*=/;
const TOLD_NAMES = [
  'descr',
  'title',
  'alt',
  'string',
  'instr',
  'instruction',
  'href',
  'author',
  'displayText',
  'alias',
  'formula',
  'condition',
  'expression',
  'string-value',
  'name',
  'description',
  'comment',
  'prompt',
  'error',
  'promptTitle',
  'errorTitle',
  'tooltip',
];
/** Attributes that hold settings, but data too. */
const DATA = /(?:^|[\s:])(?:val|value)\s*=\s*["'][^"']*(?:\d{4}|@|\S \S)/;

const SPACE_BETWEEN = /^\s*\n\s*$/;

interface Story {
  /** Of the element that began it. */
  name: string;
  text: string;
  /** The paragraph as it was before changes that are kept in it. */
  before: string;
  changed: boolean;
  paragraphs: number;
  rows: number;
  cells: number;
  /** Where the text of the cell begins. */
  cellAt: number;
  /** Value of a cell that may show no text. */
  value: string | undefined;
}

function story(name: string): Story {
  return {
    name,
    text: '',
    before: '',
    changed: false,
    paragraphs: 0,
    rows: 0,
    cells: 0,
    cellAt: 0,
    value: undefined,
  };
}

export class DocumentText implements XmlHandler {
  readonly #writer: TextWriter;
  #story = story('');
  readonly #outer: Story[] = [];
  #aside = '';
  #deleting = false;
  #inserted = 0;
  #inCode = false;
  #code = '';

  constructor(writer: TextWriter) {
    this.#writer = writer;
  }

  open(name: string, attributes: string, empty: boolean): void {
    const local = localName(name);
    if (STORIES.has(local) && !empty) this.#begin(local);
    switch (local) {
      case 'p':
      case 'h':
      case 'si':
        // A shape's paragraph inside a paragraph.
        if (this.#story.paragraphs > 0 && !empty) this.#begin(local);
        this.#story.paragraphs += 1;
        break;
      case 'text':
        // Of a remark on a cell; the other is a whole document.
        if (name !== 'office:text') this.#story.paragraphs += 1;
        break;
      case 'tr':
      case 'table-row':
        this.#story.rows += 1;
        break;
      case 'tab':
      case 'ptab':
        this.#add('\t');
        break;
      case 'br':
      case 'cr':
      case 'line-break':
        this.#add('\n');
        break;
      case 's':
        if (name !== 's') this.#add(' '.repeat(Math.min(Number(attribute(attributes, 'c')) || 1, 64)));
        break;
      case 'noBreakHyphen':
        this.#add('-');
        break;
      case 'sym':
        this.#add(symbol(attribute(attributes, 'char')));
        break;
      case 'delText':
        this.#deleting = !empty;
        break;
      case 'ins':
      case 'moveTo':
        this.#inserted += 1;
        break;
      case 'instrText':
      case 'delInstrText':
        this.#inCode = !empty;
        break;
      case 'tc':
      case 'table-cell':
        this.#story.cells += 1;
        this.#story.cellAt = this.#story.text.length;
        this.#story.value = local === 'tc' ? undefined : cellValue(attributes);
        break;
      default:
    }
    if (TOLD.test(attributes)) this.#tell(attributes);
    if (local !== 'table-cell' && DATA.test(attributes))
      for (const value of attributeValues(attributes))
        if (/\d{4}|@|\S \S/.test(value)) this.#hold(`${value}\n`);
    if (empty) this.close(name);
  }

  close(name: string): void {
    const local = localName(name);
    const at = this.#story;
    switch (local) {
      case 'delText':
        this.#deleting = false;
        break;
      case 'ins':
      case 'moveTo':
        if (this.#inserted > 0) this.#inserted -= 1;
        break;
      case 'instrText':
      case 'delInstrText':
        this.#inCode = false;
        break;
      case 'fldChar':
        if (this.#code !== '') this.#code += '\n';
        break;
      case 'p':
      case 'h':
      case 'si':
      case 'text':
        if (at.paragraphs > 0) at.paragraphs -= 1;
        this.#paragraph(at.cells > 0 ? ' ' : '\n');
        break;
      case 'tc':
      case 'table-cell':
        this.#endCell(at);
        if (at.cells > 0) at.cells -= 1;
        this.#add('\t');
        break;
      case 'tr':
      case 'table-row':
      case 'sld':
        if (local !== 'sld' && at.rows > 0) at.rows -= 1;
        this.#paragraph(at.rows > 0 ? ' ' : '\n');
        break;
      case 'r':
      case 't':
      case 'span':
      case 'a':
        break;
      default:
        // Texts that stand in no paragraph: authors, dates, numbers of places.
        if (at.paragraphs === 0 && at.rows === 0 && /\S$/.test(at.text)) this.#add('\n');
    }
    if (this.#outer.length > 0 && local === this.#story.name) this.#leave();
    else if (this.#outer.length === 0 && at.rows === 0 && at.paragraphs === 0) this.#flush();
  }

  text(text: string): void {
    if (SPACE_BETWEEN.test(text)) return;
    const at = this.#story;
    if (this.#inCode) {
      if (this.#code.length < MAX_HELD) this.#code += text;
    } else if (this.#deleting) {
      at.changed = true;
      if (at.before.length < MAX_HELD) at.before += text;
    } else this.#add(text);
  }

  other(text: string): void {
    if (text.length > 8 && !text.startsWith('xml ')) this.#hold(`${text}\n`);
  }

  end(): void {
    while (this.#outer.length > 0) this.#leave();
    this.#paragraph('\n');
    this.#flush();
  }

  #begin(name: string): void {
    if (this.#outer.length >= MAX_STORIES) return;
    this.#outer.push(this.#story);
    this.#story = story(name);
  }

  #leave(): void {
    const { text, before, changed } = this.#story;
    this.#story = this.#outer.pop() ?? story('');
    this.#hold(`${text}\n`);
    if (changed) this.#hold(`${before}\n`);
  }

  #add(text: string): void {
    const at = this.#story;
    at.text += text;
    if (this.#inserted > 0) at.changed = true;
    else if (at.before.length < MAX_HELD) at.before += text;
    if (at.text.length < MAX_HELD) return;
    if (this.#outer.length === 0) {
      this.#writer.add(at.text);
      at.text = '';
    } else {
      this.#hold(at.text);
      at.text = '';
    }
  }

  /** Of a cell that shows nothing, or its value in another form, the value too. */
  #endCell(at: Story): void {
    if (at.value === undefined) return;
    const shown = at.text.slice(at.cellAt).trim();
    if (shown === '') this.#add(at.value);
    else if (at.value.length >= 6 && !shown.includes(at.value)) this.#add(` ${at.value}`);
    at.value = undefined;
  }

  /** The end of a paragraph, or of a row. */
  #paragraph(end: string): void {
    const at = this.#story;
    at.text += end;
    if (at.changed) this.#hold(`${at.before}\n`);
    at.before = '';
    at.changed = false;
    if (this.#code !== '') this.#hold(`${this.#code}\n`);
    this.#code = '';
  }

  /** Keeps a text for the end of the paragraph or row. */
  #hold(text: string): void {
    if (text.trim() === '') return;
    this.#aside += text;
    if (this.#aside.length > MAX_HELD) this.#flush();
  }

  #flush(): void {
    const first = this.#outer[0] ?? this.#story;
    if (first.text !== '') this.#writer.add(first.text);
    first.text = '';
    if (this.#aside !== '') this.#writer.add(`\n${this.#aside}`);
    this.#aside = '';
  }

  #tell(attributes: string): void {
    for (const name of TOLD_NAMES) {
      const value = attribute(attributes, name);
      if (value !== undefined && value.length > 4) this.#hold(`${value}\n`);
    }
  }
}

/** What a cell holds besides the text it shows. */
function cellValue(attributes: string): string | undefined {
  return (
    attribute(attributes, 'date-value') ??
    attribute(attributes, 'string-value') ??
    attribute(attributes, 'value')
  );
}

/** A character by its number; those of symbol fonts lie in the private area. */
function symbol(hex: string | undefined): string {
  const code = Number.parseInt(hex ?? '', 16);
  if (!(code >= 32 && code <= 0xffff)) return '';
  return String.fromCharCode(code >= 0xf020 && code <= 0xf0ff ? code - 0xf000 : code);
}
