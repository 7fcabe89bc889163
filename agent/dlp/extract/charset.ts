/** Decoders of charsets by name: those of the platform, and UTF-32, which it does not know. */

export interface CharsetDecoder {
  decode(bytes?: Uint8Array, options?: { stream?: boolean }): string;
}

const CHUNK_UNITS = 4096;

class Utf32Decoder implements CharsetDecoder {
  #bigEndian: boolean | undefined;
  #rest = new Uint8Array(0);

  constructor(bigEndian: boolean | undefined) {
    this.#bigEndian = bigEndian;
  }

  decode(bytes: Uint8Array = new Uint8Array(0)): string {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    const whole = all.length - (all.length % 4);
    const view = new DataView(all.buffer);
    let text = '';
    let codes: number[] = [];
    for (let at = 0; at < whole; at += 4) {
      // Without a mark or a name that says it, the order in which the first character is one.
      this.#bigEndian ??= view.getUint32(at, true) > 0x10ffff;
      const code = view.getUint32(at, !this.#bigEndian);
      if (code !== 0xfeff) codes.push(code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? code : 0xfffd);
      if (codes.length < CHUNK_UNITS) continue;
      text += String.fromCodePoint(...codes);
      codes = [];
    }
    this.#rest = all.slice(whole);
    return text + String.fromCodePoint(...codes);
  }
}

/** A decoder by the name of a charset; Latin-1 where the name is unknown. */
export function charsetDecoder(name: string): CharsetDecoder {
  const utf32 = /^(?:utf-?32|ucs-?4|iso-10646-ucs-4)(be|le)?$/i.exec(name.trim());
  if (utf32) return new Utf32Decoder(utf32[1] === undefined ? undefined : utf32[1].toLowerCase() === 'be');
  try {
    return new TextDecoder(name);
  } catch {
    return new TextDecoder('latin1');
  }
}
