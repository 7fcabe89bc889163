/** Text of PDFs by pdf.js: pages, fields, comments, metadata, attachments. Loaded only where a PDF is met. */
import { getDocument, VerbosityLevel } from 'unpdf/pdfjs';
import { ExtractError, inside, TextWriter, type Extraction } from './extraction.ts';
import { PageText, type TextItem } from './pdf-page.ts';
import { bufferSource } from './source.ts';

/** Levels of outlines and structures that are read. */
const MAX_TREE = 64;

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
  // Choices that a form offers, whether one was made or not.
  const { options } = annotation as { options?: { exportValue?: unknown; displayValue?: unknown }[] };
  for (const { exportValue, displayValue } of Array.isArray(options) ? options : [])
    for (const value of new Set([exportValue, displayValue]))
      if (typeof value === 'string') parts.push(value);
  return parts.filter((part) => part !== '').join('\n');
}

interface OutlineItem {
  title?: unknown;
  unsafeUrl?: unknown;
  items?: OutlineItem[];
}

function addOutline(writer: TextWriter, items: readonly OutlineItem[], depth: number): void {
  for (const { title, unsafeUrl, items: below } of items) {
    for (const text of [title, unsafeUrl]) if (typeof text === 'string') writer.add(`${text}\n`);
    if (below && depth < MAX_TREE) addOutline(writer, below, depth + 1);
  }
}

interface StructNode {
  alt?: unknown;
  children?: StructNode[];
}

/** Descriptions of pictures in the structure of a page, each on a line. */
function describedIn(node: StructNode | null | undefined, depth = 0): string {
  if (!node || depth > MAX_TREE) return '';
  const own = typeof node.alt === 'string' && node.alt !== '' ? `${node.alt}\n` : '';
  return own + (node.children ?? []).map((child) => describedIn(child, depth + 1)).join('');
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
        const text = new PageText(writer);
        for (;;) {
          const { value, done } = (await reader.read()) as { value?: { items: TextItem[] }; done: boolean };
          if (done) break;
          for (const item of value?.items ?? []) text.add(item);
          extraction.tick(16_384);
        }
        letters += text.end();
        const described = describedIn((await page.getStructTree().catch(() => null)) as StructNode | null);
        if (described !== '') writer.add(described);
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
    const { Custom: custom, ...common } = info as Record<string, unknown>;
    for (const value of [...Object.values(common), ...Object.values(custom ?? {})])
      if (typeof value === 'string' && value !== '') writer.add(`${value}\n`);
    const outline: unknown = await document.getOutline().catch(() => null);
    if (Array.isArray(outline)) addOutline(writer, outline as OutlineItem[], 0);
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
