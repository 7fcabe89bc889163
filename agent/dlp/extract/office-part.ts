/** One XML part of an office package: a sheet cell by cell, a document by paragraphs, anything else as it comes. */
import { DocumentText } from './document-text.ts';
import { TextWriter, type Extraction } from './extraction.ts';
import type { OfficePackage } from './office-package.ts';
import { SheetText } from './sheet.ts';
import { AnyText, ByRoot, readXml } from './xml-text.ts';

const PART = /\.(?:xml|rels|vml)$/i;

/** Roots whose text is in paragraphs and runs. */
const DOCUMENTS: ReadonlySet<string> = new Set([
  'document',
  'hdr',
  'ftr',
  'footnotes',
  'endnotes',
  'comments',
  'glossaryDocument',
  'sld',
  'notes',
  'sldLayout',
  'sldMaster',
  'notesMaster',
  'handoutMaster',
  'cmLst',
  'wsDr',
  'sst',
  'document-content',
  'document-styles',
]);

/** Parts that are XML by their name; all others are told by their content. */
export function isOfficePart(name: string): boolean {
  return PART.test(name);
}

/** Reads one part. */
export async function readOfficePart(
  extraction: Extraction,
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>,
  path: string,
  name: string,
  office: OfficePackage,
): Promise<void> {
  // Its strings are read where cells show them.
  if (name === office.stringsName) return;
  const writer = new TextWriter(extraction, path);
  const handler = new ByRoot((root) => {
    if (root === 'worksheet') return new SheetText(writer, office);
    return DOCUMENTS.has(root) ? new DocumentText(writer) : new AnyText(writer);
  });
  try {
    await readXml(extraction, bytes, handler);
  } finally {
    handler.end();
    writer.add(handler.rest());
    writer.end();
  }
}
