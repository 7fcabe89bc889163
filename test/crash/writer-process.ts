/** A process that writes without end, for sigkill.test.ts: `writer-process.ts DIR native|js EPOCH`. */
import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { openWal } from '../../agent/wal/open.ts';
import { contentOf, crashOptions } from './content.ts';

const [dir, prefer, epoch] = process.argv.slice(2) as [string, 'native' | 'js', string];
const { writer, recovered } = await openWal({ ...crashOptions(dir), prefer, epoch: Number(epoch) });
// For those that come after: this process is killed and leaves nothing at its end.
flushCompileCache();
const tell = (seq: number): void => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(seq));
  writeSync(1, bytes);
};
writer.onDurable(tell);
let seq = recovered.lastSeq + 1;
for (;;) {
  const records = Array.from({ length: 1 + (seq % 5) }, (_, i) => ({
    type: 2,
    schema: 2,
    wallNs: 1_700_000_000_000_000_000n,
    payload: contentOf(seq + i),
  }));
  const first = writer.append(records, seq % 3 !== 0);
  if (first !== seq) throw new Error(`expected ${seq}, got ${first}`);
  seq += records.length;
  await writer.whenDurable(seq - 1);
  tell(writer.durableSeq);
}
