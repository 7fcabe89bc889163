/** Takes segments apart and puts them together again with checksums that fit: what a forger without the key can do. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c } from '../../agent/wal/crc32c.ts';
import { COMMIT_HEAD, PAGE, chainAfter, decodeHeader, recordBytes } from '../../agent/wal/format.ts';
import { scanSegment } from '../../agent/wal/scan.ts';
import { RecordType } from '../../agent/wal/types.ts';

/** Path of a raw segment. */
export const pathOf = (dir: string, segment: number): string =>
  join(dir, `${String(segment).padStart(12, '0')}.swal`);

/** A segment taken apart, to be changed and put together again with checksums that fit. */
export class Forge {
  readonly path: string;
  readonly image: Buffer;
  readonly header;
  readonly commits;

  constructor(dir: string, segment: number) {
    this.path = pathOf(dir, segment);
    this.image = readFileSync(this.path);
    const { header } = decodeHeader(this.image);
    if (header === undefined) throw new Error('no header');
    this.header = header;
    this.commits = scanSegment(this.image, header).commits;
  }

  /** Offset of record `index` of a commit. */
  record(commit: number, index: number): number {
    let at = (this.commits[commit]?.offset ?? 0) + COMMIT_HEAD;
    for (let i = 0; i < index; i++) at += recordBytes(this.image.readUInt32LE(at + 4));
    return at;
  }

  sealRecord(at: number): void {
    const end = at + 32 + this.image.readUInt32LE(at + 4);
    this.image.writeUInt32LE(crc32c(this.header.salt, this.image, at + 4, end), at);
  }

  sealCommit(commit: number): void {
    const { offset, paddedBytes } = this.commits[commit] as (typeof this.commits)[number];
    this.image.writeUInt32LE(crc32c(this.header.salt, this.image, offset + 4, offset + paddedBytes), offset);
  }

  sealHeader(): void {
    this.image.writeUInt32LE(0, 12);
    this.image.writeUInt32LE(crc32c(0, this.image, 0, PAGE), 12);
    this.image.copy(this.image, PAGE, 0, PAGE);
  }

  /** If the record is a checkpoint, makes it name the chain that its commit has now. */
  pointAt(at: number, chains: ReadonlyMap<string, string>): void {
    if (this.image.readUInt16LE(at + 24) !== RecordType.checkpoint) return;
    const payload = this.image.subarray(at + 32, at + 32 + this.image.readUInt32LE(at + 4));
    const { chain, commitNo } = JSON.parse(payload.toString()) as { chain: string; commitNo: string };
    payload.write(chains.get(commitNo) ?? '', payload.indexOf(chain), 'latin1');
    this.sealRecord(at);
  }

  save(): void {
    writeFileSync(this.path, this.image);
  }
}

/** Chain, checksums and headers of all segments made to fit whatever was changed; with `checkpoints` those as well. */
export function resealAll(dir: string, checkpoints = false): void {
  let chain: Buffer = Buffer.alloc(32);
  const chains = new Map<string, string>();
  for (const name of readdirSync(dir).toSorted()) {
    const forge = new Forge(dir, Number.parseInt(name, 10));
    chain.copy(forge.image, 72);
    forge.sealHeader();
    forge.commits.forEach(({ offset, bodyBytes, commitNo, count }, index) => {
      const records = checkpoints ? count : 0;
      for (let i = 0; i < records; i++) forge.pointAt(forge.record(index, i), chains);
      chain = chainAfter(chain, forge.image, offset, bodyBytes);
      chain.copy(forge.image, offset + 32);
      forge.sealCommit(index);
      chains.set(String(commitNo), chain.toString('hex'));
    });
    forge.save();
  }
}
