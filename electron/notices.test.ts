import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { PolicyActJson } from '../agent/api/contract.ts';
import { createNotices } from './notices.ts';

const ACT: PolicyActJson = {
  id: 'a-1',
  policyId: 'no-tmp',
  policyTitle: 'No programs in /tmp',
  severity: 'medium',
  action: 'deny_exec',
  state: 'applied',
  guarantee: 'killed before its first instruction',
  guardian: 'kernel',
  program: '/tmp/x',
  what: '--daemon',
  eventId: '42',
  count: 1,
  firstMs: 0,
  lastMs: 0,
};

function setUp(locale = 'en-GB') {
  const shown: { options: { title: string; body: string; silent: boolean }; click: () => void }[] = [];
  const opened: string[] = [];
  const state = { nowMs: 0, focused: false, supported: true };
  class FakeNotification extends EventEmitter {
    readonly #options: { title: string; body: string; silent: boolean };
    static isSupported(): boolean {
      return state.supported;
    }
    constructor(options: { title: string; body: string; silent: boolean }) {
      super();
      this.#options = options;
    }
    show(): void {
      shown.push({ options: this.#options, click: () => this.emit('click') });
    }
  }
  const tell = createNotices(
    { Notification: FakeNotification as never },
    {
      locale,
      isConsoleFocused: () => state.focused,
      open: (address) => opened.push(address),
      nowMs: () => state.nowMs,
    },
  );
  return { tell, shown, opened, state };
}

describe('notices of the desktop', () => {
  it('say what was stopped, by which policy and how, without a sound, and lead to why', () => {
    const { tell, shown, opened } = setUp();
    tell(ACT);
    expect(shown[0]?.options).toEqual({
      title: 'Stopped by a policy',
      body: '/tmp/x · --daemon\nPolicy: No programs in /tmp\nkilled before its first instruction',
      silent: true,
    });
    shown[0]?.click();
    expect(opened).toEqual(['#/timeline?e=42&tab=why']);
  });

  it('come at most one each few seconds; the next says how many there were in between', () => {
    const { tell, shown, state } = setUp();
    for (let n = 0; n < 50; n += 1) tell(ACT);
    expect(shown).toHaveLength(1);
    state.nowMs = 5000;
    tell(ACT);
    expect(shown).toHaveLength(2);
    expect(shown[1]?.options.body).toContain('+49 more since the last notice');
  });

  it('do not come while the console is in front, nor where there are none', () => {
    const { tell, shown, state } = setUp();
    state.focused = true;
    tell(ACT);
    state.focused = false;
    state.supported = false;
    tell(ACT);
    expect(shown).toEqual([]);
  });

  it('say it when a policy failed to act, in the language of the session', () => {
    const { tell, shown } = setUp('es-MX');
    tell({ ...ACT, state: 'failed', error: 'protected: init' });
    expect(shown[0]?.options.title).toBe('Una política no pudo actuar');
    expect(shown[0]?.options.body).toContain('protected: init');
  });
});
