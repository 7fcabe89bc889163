/** The newest signed checkpoint in a log, as it is in its record. */
import { COMMIT_HEAD, decodeHeader, decodeRecord, recordBytes } from '../wal/format.ts';
import { scanSegment } from '../wal/scan.ts';
import { listSegments, readImage } from '../wal/segments.ts';
import { RecordType } from '../wal/types.ts';
import { readCheckpoint } from './checkpoint.ts';

/** Its payload, JSON; undefined for a log without one. */
export function newestCheckpoint(dir: string): Buffer | undefined {
  for (const file of listSegments(dir).reverse()) {
    let image: Buffer;
    try {
      image = readImage(file);
    } catch {
      // Removed or compressed since the listing, or damaged: an older one will do.
      continue;
    }
    const { header } = decodeHeader(image);
    if (header === undefined) continue;
    for (const commit of scanSegment(image, header).commits.reverse()) {
      let newest: Buffer | undefined;
      const end = commit.offset + COMMIT_HEAD + commit.bodyBytes;
      for (let at = commit.offset + COMMIT_HEAD; at < end;) {
        const { type, payload } = decodeRecord(image, at);
        if (type === RecordType.checkpoint && readCheckpoint(payload)) newest = payload;
        at += recordBytes(payload.length);
      }
      if (newest) return Buffer.from(newest);
    }
  }
  return undefined;
}
