/** Text of PDFs by pdf.js: pages, fields, comments, metadata, attachments. Loaded only where a PDF is met. */
import { getDocument, VerbosityLevel } from 'unpdf/pdfjs';
import { ExtractError, inside, TextWriter, type Extraction } from './extraction.ts';
import { bufferSource } from './source.ts';

interface TextItem {
  str?: string;
  hasEOL?: boolean;
}

function failure(error: unknown): ExtractError {
  if (error instanceof ExtractError) return error;
  const name = error instanceof Error ? error.name : '';
  if (name === 'PasswordException') return new ExtractError('encrypted', 'the PDF needs a password');
  return new ExtractError('malformed', 'the PDF is damaged');
}

type Document = Awaited<ReturnType<typeof getDocument>['promise']>;

/** Text of a page's annotations and fields. */
function annotationText(annotation: Record<string, unknown>): string {
  const parts: string[] = [];
  for (const key of ['fieldValue', 'buttonValue', 'url', 'unsafeUrl', 'alternativeText']) {
    const value = annotation[key];
    if (typeof value === 'string') parts.push(value);
    else if (Array.isArray(value)) parts.push(...value.filter((item) => typeof item === 'string'));
  }
  for (const key of ['contentsObj', 'titleObj', 'richText']) {
    const value = annotation[key] as { str?: unknown } | null | undefined;
    if (typeof value?.str === 'string') parts.push(value.str);
  }
  return parts.filter((part) => part !== '').join('\n');
}

/** `files`: attachments by their place on a page are added to it. */
async function readPages(
  extraction: Extraction,
  document: Document,
  path: string,
  files: Map<string, string>,
): Promise<number> {
  let letters = 0;
  let damaged = 0;
  const writer = new TextWriter(extraction, path);
  try {
    for (let number = 1; number <= document.numPages; number += 1) {
      extraction.tick(65_536);
      try {
        const page = await document.getPage(number);
        const reader = page.streamTextContent({ includeMarkedContent: false }).getReader();
        for (;;) {
          const { value, done } = (await reader.read()) as { value?: { items: TextItem[] }; done: boolean };
          if (done) break;
          for (const { str = '', hasEOL } of value?.items ?? []) {
            letters += str.length;
            writer.add(hasEOL ? `${str}\n` : str);
          }
          extraction.tick(16_384);
        }
        writer.add('\n');
        for (const annotation of (await page.getAnnotations()) as Record<string, unknown>[]) {
          const text = annotationText(annotation);
          if (text !== '') writer.add(`${text}\n`);
          const { fileId, file } = annotation as { fileId?: unknown; file?: { filename?: string } };
          if (typeof fileId === 'string') files.set(fileId, file?.filename ?? 'attachment');
        }
        page.cleanup();
      } catch (error) {
        if (error instanceof ExtractError) throw error;
        damaged += 1;
      }
    }
    const { info } = await document.getMetadata().catch(() => ({ info: {} }));
    for (const value of Object.values(info as Record<string, unknown>))
      if (typeof value === 'string' && value !== '') writer.add(`${value}\n`);
  } finally {
    writer.end();
  }
  if (damaged > 0)
    throw new ExtractError('malformed', `${damaged} of ${document.numPages} pages could not be read`);
  return letters;
}

/** The same bytes in memory that nobody else uses, without a copy where they are alone already. */
function ownBytes(bytes: Buffer): Uint8Array {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength
    ? new Uint8Array(buffer)
    : Uint8Array.from(bytes);
}

/** Reads a PDF that is held in memory; takes the buffer over. */
export async function readPdf(
  extraction: Extraction,
  bytes: Buffer,
  path: string,
  depth: number,
): Promise<void> {
  const task = getDocument({
    // pdf.js takes the memory over, so it must be these bytes' own.
    data: ownBytes(bytes),
    useSystemFonts: false,
    disableFontFace: true,
    useWorkerFetch: false,
    stopAtErrors: false,
    maxImageSize: 1,
    verbosity: VerbosityLevel.ERRORS,
  });
  extraction.muted -= 1;
  try {
    const document = await task.promise;
    const files = new Map<string, string>();
    const letters = await readPages(extraction, document, path, files);
    if (letters === 0)
      extraction.problem('unsupported', 'the PDF has no text layer: its pages are pictures', path);
    for (const [id, { filename }] of (await document.getAttachments()) ?? []) files.set(id, filename);
    for (const [id, filename] of files) {
      const content: unknown = await document.getAttachmentContent(id);
      if (!(content instanceof Uint8Array)) {
        extraction.problem('malformed', 'an attachment of the PDF is not there', path);
        continue;
      }
      extraction.member();
      extraction.spend(content.length);
      const member = inside(path, filename);
      await extraction.visit(extraction, bufferSource(Buffer.from(content)), member, depth + 1);
    }
  } catch (error) {
    throw failure(error);
  } finally {
    extraction.muted += 1;
    await task.destroy().catch(() => undefined);
  }
}
