/** A worksheet as text: a row per line, a tab between cells, each cell as it is shown. */
import type { TextWriter } from './extraction.ts';
import type { OfficePackage } from './office-package.ts';
import { shownNumber } from './sheet-format.ts';
import { attribute, attributeValues, localName, type XmlHandler } from './xml-tokens.ts';

const GENERAL = { kind: 'general' } as const;
/** Of a size only two digits, where more follow: those are text then. */
const HEADER_CODE = /&(?:"[^"]{0,100}"|K[0-9A-F]{6}|[A-Z]|\d{1,3}(?!\d)|\d{2})/g;
const FORMULAS_PER_ROW = 65_536;

export class SheetText implements XmlHandler {
  readonly #writer: TextWriter;
  readonly #office: OfficePackage;
  #inData = false;
  #type = '';
  #style = 0;
  #value = '';
  #collect: 'value' | 'formula' | undefined;
  #formula = '';
  #formulas = '';

  constructor(writer: TextWriter, office: OfficePackage) {
    this.#writer = writer;
    this.#office = office;
  }

  open(name: string, attributes: string, empty: boolean): void {
    const local = localName(name);
    if (!this.#inData) {
      if (local === 'sheetData') this.#inData = !empty;
      else
        for (const value of attributeValues(attributes)) if (value.length > 4) this.#writer.add(`${value}\n`);
      return;
    }
    switch (local) {
      case 'c':
        this.#type = attribute(attributes, 't') ?? '';
        this.#style = Number(attribute(attributes, 's') ?? 0);
        this.#value = '';
        this.#formula = '';
        break;
      case 'v':
      case 't':
        this.#collect = empty ? undefined : 'value';
        break;
      case 'f':
        this.#collect = empty ? undefined : 'formula';
        break;
      default:
    }
  }

  close(name: string): void {
    switch (localName(name)) {
      case 'v':
      case 't':
      case 'f':
        this.#collect = undefined;
        break;
      case 'c':
        this.#cell();
        break;
      case 'row':
        this.#writer.add('\n');
        if (this.#formulas !== '') this.#writer.add(`${this.#formulas}\n`);
        this.#formulas = '';
        break;
      case 'sheetData':
        this.#inData = false;
        break;
      default:
    }
  }

  text(text: string): void {
    if (!this.#inData) {
      // Headers and footers have codes for place and font between their texts.
      if (text.trim() !== '') this.#writer.add(`${text.replace(HEADER_CODE, ' ')}\n`);
    } else if (this.#collect === 'value') this.#value += text;
    else if (this.#collect === 'formula') this.#formula += text;
    else if (text.trim() !== '') this.#writer.add(`${text}\t`);
  }

  other(text: string): void {
    if (text.length > 8) this.#writer.add(`\n${text}\n`);
  }

  #cell(): void {
    if (this.#value !== '') this.#writer.add(`${this.#shown()}\t`);
    this.#value = '';
    // Only literals in a formula are data of their own.
    if (/"|\d{4}/.test(this.#formula) && this.#formulas.length < FORMULAS_PER_ROW)
      this.#formulas += `${this.#formula}\t`;
    this.#formula = '';
  }

  #shown(): string {
    const office = this.#office;
    switch (this.#type) {
      case 's':
        return office.strings?.get(Number(this.#value)) ?? this.#value;
      case '':
      case 'n':
        return shownNumber(this.#value, office.formats[this.#style] ?? GENERAL, office.from1904);
      default:
        return this.#value;
    }
  }
}
