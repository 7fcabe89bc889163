/** Headers of mail: encoded words, parameters with charset and continuations. */
import { charsetDecoder } from './charset.ts';

/** Bytes of quoted-printable text; what is no valid escape stays. */
export function decodeQuotedPrintable(text: string, underscores: boolean): Buffer {
  const out = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    let code = text.charCodeAt(at) & 0xff;
    if (code === 61) {
      const value = Number.parseInt(text.slice(at + 1, at + 3), 16);
      if (/^[0-9a-fA-F]{2}$/.test(text.slice(at + 1, at + 3))) {
        code = value;
        at += 2;
      }
    } else if (code === 95 && underscores) code = 32;
    out[length] = code;
    length += 1;
  }
  return out.subarray(0, length);
}

/** Text of bytes in a charset by its name; Latin-1 where the name is unknown. */
export function decodeCharset(bytes: Buffer, charset: string): string {
  const decoder = charsetDecoder(charset);
  return decoder.decode(bytes) + decoder.decode();
}

/** A header's text with its encoded words decoded. */
export function decodeWords(text: string): string {
  return text
    .replace(/(\?=)\s+(?==\?)/g, '$1')
    .replace(
      /=\?([\w.:-]{1,40})(?:\*[\w-]*)?\?([bq])\?([^?]{0,4096})\?=/gi,
      (_all, charset: string, encoding: string, data: string) =>
        decodeCharset(
          encoding.toLowerCase() === 'b' ? Buffer.from(data, 'base64') : decodeQuotedPrintable(data, true),
          charset,
        ),
    );
}

export interface HeaderValue {
  /** In lower case, without parameters. */
  value: string;
  parameters: Map<string, string>;
}

/** Comments in brackets are no part of a value; in quotes they are none. */
function withoutComments(text: string): string {
  if (!text.includes('(')) return text;
  return text.replace(/"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)/g, (part) => (part[0] === '"' ? part : ' '));
}

/** A structured header: `text/plain; charset=utf-8; name*0="a"; name*1="b"`. */
export function parseHeaderValue(given: string): HeaderValue {
  const text = withoutComments(given);
  const semicolon = text.indexOf(';');
  const value = (semicolon < 0 ? text : text.slice(0, semicolon)).trim().toLowerCase();
  const raw = new Map<string, string>();
  const pairs = semicolon < 0 ? '' : text.slice(semicolon, semicolon + 8192);
  for (const [, name = '', quoted, bare] of pairs.matchAll(
    /;\s*([\w*.!#$%&'+^`|~-]{1,80})\s*=\s*(?:"((?:[^"\\]|\\.)*)(?:"|$)|([^\s;]*))/g,
  ))
    raw.set(name.toLowerCase(), quoted === undefined ? (bare ?? '') : quoted.replace(/\\(.)/g, '$1'));
  const parameters = new Map<string, string>();
  for (const [name, part] of raw) {
    const star = name.indexOf('*');
    if (star < 0) parameters.set(name, part);
  }
  for (const name of new Set(
    [...raw.keys()].filter((key) => key.includes('*')).map((key) => key.split('*')[0] ?? ''),
  )) {
    let whole = raw.get(`${name}*`);
    if (whole === undefined) {
      whole = '';
      for (let i = 0; i < 100; i += 1) {
        const part = raw.get(`${name}*${i}`) ?? raw.get(`${name}*${i}*`);
        if (part === undefined) break;
        whole += part;
      }
    }
    const extended = /^([\w.:-]*)'[^']*'(.*)$/s.exec(whole);
    if (extended) {
      const bytes = Buffer.from(
        (extended[2] ?? '').replace(/%([0-9a-f]{2})/gi, (_all, hex: string) =>
          String.fromCharCode(Number.parseInt(hex, 16)),
        ),
        'latin1',
      );
      whole = decodeCharset(bytes, extended[1] || 'utf-8');
    }
    parameters.set(name, whole);
  }
  return { value, parameters };
}
