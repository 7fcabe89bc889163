import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { EVENT_TYPES, LANES, SEVERITIES } from '../agent/event.ts';

const source = readFileSync(join(import.meta.dirname, 'sentinel/v1/event.proto'), 'utf8');
const event = protobuf.parse(source).root.lookupType('sentinel.v1.Event');

describe('event.proto', () => {
  it('names the same types, lanes and severities as the agent', () => {
    const names = (name: string): string[] => Object.keys(event.lookupEnum(name).values).slice(1);
    expect(names('Type')).toEqual([...EVENT_TYPES]);
    expect(names('Lane')).toEqual([...LANES]);
    expect(names('Severity')).toEqual([...SEVERITIES]);
  });
});
