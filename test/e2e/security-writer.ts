/**
 * A process that records on the security lane until it is killed, telling on stdout what was acknowledged: one line
 * `seq` for each record that was released as durable. Records that ran ahead of the disk are not acknowledged.
 */
import { writeSync } from 'node:fs';
import { SecurityLane } from '../../agent/lanes/security.ts';
import { openWal } from '../../agent/wal/open.ts';
import { RecordType, Schema } from '../../agent/wal/types.ts';
import { payloadOf } from './payload.ts';

const [dir = '', epoch = '1'] = process.argv.slice(2);
const { writer, recovered } = await openWal({
  dir,
  lane: 'security',
  deviceId: 'test',
  epoch: Number(epoch),
});
const lane = new SecurityLane(writer, {
  onAlarm: (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(3);
  },
  onGap: () => {},
});
writeSync(1, `start ${recovered.lastSeq}\n`);

let next = recovered.lastSeq + 1;
setInterval(() => {
  for (let i = 0; i < 20; i += 1) {
    const record = {
      type: RecordType.event,
      schema: Schema.jsonV1,
      wallNs: BigInt(Date.now()) * 1_000_000n,
      payload: payloadOf(next),
    };
    const seq = lane.append([record], i % 4 === 0);
    if (seq !== next) throw new Error(`expected sequence number ${next}, got ${seq}`);
    next += 1;
    lane.release(
      seq,
      (outcome, released) => {
        if (!outcome.aheadOfRecord) writeSync(1, `${released}\n`);
      },
      seq,
    );
  }
}, 2);
