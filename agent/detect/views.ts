/**
 * Which log sources an event stands for. One event can be several records in Sigma's world: an exec is a
 * `process_creation` and, for auditd rules, the records EXECVE, SYSCALL and PATH.
 */
import type { SentinelEvent } from '../event.ts';
import * as fields from './fields.ts';
import type { Accessor, FieldView } from './fields.ts';
import type { FieldNames, ValueSource } from './field-cache.ts';
import type { LogSource } from './rule.ts';

export interface EventView {
  logsource: LogSource;
  view: FieldView;
  /** Fields that hold one of few values, so that a rule which needs another one is known not to run. */
  possible: Readonly<Record<string, readonly string[]>>;
  /** type of the event -> its actions; undefined = every action. */
  events: Readonly<Record<string, readonly string[] | undefined>>;
  /** False for an event that lacks what the view is about. */
  when?: (event: SentinelEvent) => boolean;
}

const WRITES = ['create', 'write', 'close_write', 'rename', 'link', 'symlink', 'mkdir', 'mknod', 'truncate'];
const DELETES = ['unlink', 'delete', 'rmdir'];
const RARE_SYSCALLS = (
  'ptrace vm_write memfd_create mmap_wx mprotect_wx bpf init_module finit_module delete_module setuid setgid capset ' +
  'mount umount unshare setns kill chroot pivot_root kexec mknod'
).split(' ');

function category(name: string): LogSource {
  return { product: 'linux', category: name };
}

const AUDITD: LogSource = { product: 'linux', service: 'auditd' };

/** In the order rules are tried. `fork` and the snapshot at start are no `process_creation`: nothing was executed. */
export const VIEWS: readonly EventView[] = [
  {
    logsource: category('process_creation'),
    view: fields.PROCESS_VIEW,
    possible: {},
    events: { process: ['exec'] },
  },
  {
    logsource: category('process_termination'),
    view: fields.PROCESS_VIEW,
    possible: {},
    events: { process: ['exit'] },
  },
  { logsource: category('file_event'), view: fields.FILE_VIEW, possible: {}, events: { file: WRITES } },
  { logsource: category('file_delete'), view: fields.FILE_VIEW, possible: {}, events: { file: DELETES } },
  { logsource: category('file_rename'), view: fields.FILE_VIEW, possible: {}, events: { file: ['rename'] } },
  { logsource: category('file_change'), view: fields.FILE_VIEW, possible: {}, events: { file: ['utime'] } },
  { logsource: category('file_access'), view: fields.FILE_VIEW, possible: {}, events: { file: ['open'] } },
  {
    logsource: category('network_connection'),
    view: fields.NETWORK_VIEW,
    possible: {},
    events: { network: ['connect', 'accept', 'send', 'udp_send', 'deny_connect'] },
  },
  { logsource: category('dlp'), view: fields.DLP_VIEW, possible: {}, events: { dlp: undefined } },
  { logsource: category('dns_query'), view: fields.DNS_VIEW, possible: {}, events: { dns: undefined } },
  { logsource: category('dns'), view: fields.DNS_VIEW, possible: {}, events: { dns: undefined } },
  {
    logsource: category('process_access'),
    view: fields.ACCESS_VIEW,
    possible: {},
    events: { process: ['ptrace', 'vm_write'], memory: ['ptrace', 'vm_write'] },
  },
  {
    logsource: category('driver_load'),
    view: fields.MODULE_VIEW,
    possible: {},
    events: { module: ['init_module', 'finit_module'] },
  },
  {
    logsource: AUDITD,
    view: fields.EXECVE_VIEW,
    possible: { type: ['EXECVE'] },
    events: { process: ['exec'] },
  },
  {
    logsource: AUDITD,
    view: fields.SYSCALL_VIEW,
    possible: { type: ['SYSCALL'], SYSCALL: syscallNames() },
    events: {
      process: ['exec', ...RARE_SYSCALLS],
      file: undefined,
      network: ['connect', 'accept'],
      memory: undefined,
      module: undefined,
      auth: undefined,
    },
  },
  { logsource: AUDITD, view: fields.PATH_VIEW, possible: pathTypes(), events: { file: undefined } },
  {
    logsource: AUDITD,
    view: fields.OLD_PATH_VIEW,
    possible: pathTypes(),
    events: { file: ['rename', 'link'] },
    when: (event) => event.file?.oldPath !== undefined,
  },
  {
    logsource: AUDITD,
    view: fields.EXEC_PATH_VIEW,
    possible: { type: ['PATH'], nametype: ['NORMAL'] },
    events: { process: ['exec'] },
  },
];

function pathTypes(): Record<string, readonly string[]> {
  return { type: ['PATH'], nametype: ['CREATE', 'DELETE', 'NORMAL'] };
}

function syscallNames(): string[] {
  return [...RARE_SYSCALLS, ...Object.values(fields.SYSCALLS).flat()];
}

const NONE: readonly number[] = [];

/** Positions in VIEWS for each type and action, made once. */
export class ViewTable {
  readonly #byType = new Map<string, { byAction: Map<string, number[]>; other: number[] }>();

  constructor() {
    for (const [i, { events }] of VIEWS.entries()) {
      for (const [type, actions] of Object.entries(events)) {
        let entry = this.#byType.get(type);
        if (!entry) this.#byType.set(type, (entry = { byAction: new Map(), other: [] }));
        if (actions === undefined) {
          entry.other.push(i);
          for (const list of entry.byAction.values()) list.push(i);
        } else {
          for (const action of actions) {
            const list = entry.byAction.get(action);
            if (list) list.push(i);
            else entry.byAction.set(action, [...entry.other, i]);
          }
        }
      }
    }
  }

  /** Views of an event. */
  of(event: SentinelEvent): readonly number[] {
    return this.at(event.type, event.action);
  }

  /** Views of events of a type and action. */
  at(type: string, action: string): readonly number[] {
    const entry = this.#byType.get(type);
    if (!entry) return NONE;
    return entry.byAction.get(action) ?? entry.other;
  }
}

/** An event seen through one view. */
export class EventSource implements ValueSource {
  readonly #fields: FieldNames;
  readonly #view: FieldView;
  readonly #accessors: (Accessor | undefined)[] = [];
  #event: SentinelEvent | undefined;

  constructor(names: FieldNames, view: FieldView) {
    this.#fields = names;
    this.#view = view;
  }

  use(event: SentinelEvent): this {
    this.#event = event;
    return this;
  }

  value(field: number): unknown {
    while (this.#accessors.length <= field) {
      this.#accessors.push(this.#view.accessor(this.#fields.names[this.#accessors.length] as string));
    }
    return this.#accessors[field]?.(this.#event as SentinelEvent);
  }
}
