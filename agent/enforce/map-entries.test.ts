import * as fc from 'fast-check';
import { BlockList, isIPv4 } from 'node:net';
import { describe, expect, it } from 'vitest';
import { NET_KEY_BYTES, NET_RULE_BYTES, NET_RULES } from '../../native-addon/policy-layout.ts';
import type { KernelDestination, KernelPolicyRef } from '../policy/types.ts';
import {
  cutNetworkEntries,
  destinationEntries,
  type MapEntries,
  networkOf,
  pathEntries,
  pathKey,
} from './map-entries.ts';

function policy(handle: number, failMode: 'open' | 'closed' = 'open'): KernelPolicyRef {
  return { handle, policyId: `p${handle}`, policyVersion: 1, policyHash: '', failMode };
}

/** What the kernel's trie and judge_destination answer, by their definition: the longest prefix, its first fitting rule. */
function ask({ keys, values }: MapEntries, address: string, port: number, protocol: number): number {
  const bits = networkOf(address)?.bits ?? 0n;
  let best = -1;
  let answer = 0;
  for (let index = 0; index * NET_KEY_BYTES < keys.length; index++) {
    const prefix = keys.readUInt32LE(index * NET_KEY_BYTES);
    const network =
      (keys.readBigUInt64BE(index * NET_KEY_BYTES + 4) << 64n) |
      keys.readBigUInt64BE(index * NET_KEY_BYTES + 12);
    if (prefix <= best || network >> BigInt(128 - prefix) !== bits >> BigInt(128 - prefix)) continue;
    best = prefix;
    answer = 0;
    for (let rule = NET_RULES - 1; rule >= 0; rule--) {
      const at = (index * NET_RULES + rule) * NET_RULE_BYTES;
      const only = values.readUInt32LE(at + 4);
      if (
        port >= values.readUInt16LE(at) &&
        port <= values.readUInt16LE(at + 2) &&
        (only === 0 || only === protocol)
      )
        answer = values.readUInt32LE(at + 8) || answer;
    }
  }
  return answer;
}

describe('entries of the policy maps', () => {
  it('writes a path as the kernel walks it, from the leaf', () => {
    expect((pathKey('/usr/bin/env') as Buffer).toString('latin1').replace(/\0+$/, '')).toBe('env\0bin\0usr');
    expect((pathKey('/tmp/') as Buffer).length).toBe(256);
    expect(pathKey('/')).toContain('everything');
    expect(pathKey('usr/bin')).toContain('not an absolute path');
    expect(pathKey('/usr/../bin')).toContain('not a resolved path');
    expect(pathKey(`/${'x'.repeat(300)}`)).toContain('longer than');
  });

  it('gives a path that two policies name to the one that fails closed', () => {
    const { entries } = pathEntries([
      { policy: policy(1), value: '/a' },
      { policy: policy(2, 'closed'), value: '/a' },
      { policy: policy(3), value: '/a' },
    ]);
    expect([entries.keys.length, entries.values.readUInt32LE(0), entries.values.readUInt32LE(4)]).toEqual([
      256, 2, 1,
    ]);
  });

  it('writes what stays open to readers below the handle of their policy', () => {
    const { keys, values } = cutNetworkEntries([
      { policy: policy(0x90000002), minutes: 1, except: ['10.1.0.0/16', '2001:db8::/32'] },
    ]);
    const four = Buffer.concat([Buffer.alloc(10), Buffer.from('ffff0a010000', 'hex')]);
    const six = Buffer.concat([Buffer.from('20010db8', 'hex'), Buffer.alloc(12)]);
    const head = (prefix: number): Buffer => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32LE(prefix, 0);
      bytes.writeUInt32LE(0x90000002, 4);
      return bytes;
    };
    expect(keys).toEqual(Buffer.concat([head(32 + 96 + 16), four, head(32 + 32), six]));
    expect(values).toHaveLength(8);
  });

  it('refuses what is no network, and a policy whose rules do not fit', () => {
    const many = Array.from({ length: 9 }, (_, index): KernelDestination => ({
      policy: policy(index + 1),
      cidr: '10.0.0.0/8',
      ports: [{ from: index, to: index }],
      protocol: 'tcp',
    }));
    const { entries, refused } = destinationEntries([
      ...many,
      { policy: policy(50), cidr: 'example.org', ports: [], protocol: 'any' },
    ]);
    expect(refused.map(({ handle }) => handle).sort((a, b) => a - b)).toEqual([9, 50]);
    expect(ask(entries, '10.1.2.3', 7, 6)).toBe(8);
    expect(ask(entries, '10.1.2.3', 8, 6)).toBe(0);
  });

  it('answers like every rule asked in turn, for any rules and destinations', () => {
    const v4 = fc
      .tuple(fc.constantFrom(0, 8, 9, 24, 31, 32), fc.integer({ min: 0, max: 3 }))
      .map(([prefix, low]) => ({
        cidr: `10.0.0.${low}/${prefix}`,
        prefix,
      }));
    const v6 = fc
      .tuple(fc.constantFrom(0, 16, 64, 127, 128), fc.integer({ min: 0, max: 3 }))
      .map(([prefix, low]) => ({
        cidr: `fd00::${low}/${prefix}`,
        prefix,
      }));
    const rule = fc.record({
      net: fc.oneof(v4, v6),
      from: fc.integer({ min: 0, max: 5 }),
      width: fc.integer({ min: 0, max: 3 }),
      protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'any' as const),
    });
    const asked = fc.record({
      address: fc.constantFrom('10.0.0.0', '10.0.0.1', '10.0.1.2', '11.0.0.1', 'fd00::1', 'fd00::3', '::1'),
      port: fc.integer({ min: 0, max: 8 }),
      protocol: fc.constantFrom(6, 17),
    });
    fc.assert(
      fc.property(fc.array(rule, { maxLength: NET_RULES }), asked, (rules, question) => {
        const destinations = rules.map(({ net, from, width, protocol }): KernelDestination => ({
          policy: policy(1),
          cidr: net.cidr,
          ports: [{ from, to: from + width }],
          protocol,
        }));
        const { entries, refused } = destinationEntries(destinations);
        const family = isIPv4(question.address) ? 'ipv4' : 'ipv6';
        const expected = destinations.some(({ cidr, ports, protocol }) => {
          const [network = '', prefix] = cidr.split('/');
          if (isIPv4(network) !== isIPv4(question.address)) return false;
          const list = new BlockList();
          list.addSubnet(network, Number(prefix), family);
          const [range] = ports;
          const inPorts = range !== undefined && question.port >= range.from && question.port <= range.to;
          const fits = protocol === 'any' || (protocol === 'tcp' ? 6 : 17) === question.protocol;
          return inPorts && fits && list.check(question.address, family);
        });
        expect(refused).toEqual([]);
        expect(ask(entries, question.address, question.port, question.protocol) !== 0).toBe(expected);
      }),
    );
  });
});
