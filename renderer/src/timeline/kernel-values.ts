/** Numbers of the kernel's interfaces as people say them: protection, namespaces, capabilities. Linux's own names. */

const PROTECTIONS = [
  [1n, 'r'],
  [2n, 'w'],
  [4n, 'x'],
] as const;

/** clone(2): in the order people list them. */
const NAMESPACES: readonly (readonly [bit: bigint, name: string])[] = [
  [0x10000000n, 'user'],
  [0x20000000n, 'pid'],
  [0x00020000n, 'mount'],
  [0x40000000n, 'network'],
  [0x08000000n, 'ipc'],
  [0x04000000n, 'uts'],
  [0x02000000n, 'cgroup'],
  [0x00000080n, 'time'],
];

/** capability.h, by bit. */
const CAPABILITIES =
  'chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'.split(
    ' ',
  );
/** More names than this are a number. */
const MAX_NAMES = 3;

/** A number as the agent writes it (0x7, 12), or undefined when it is none. */
function numberIn(text: string | undefined): bigint | undefined {
  return text !== undefined && /^(0x[0-9a-f]+|\d+)$/i.test(text) ? BigInt(text) : undefined;
}

/** PROT_READ | PROT_EXEC as "r-x"; what is not a protection stays as it is. */
export function protection(text: string): string {
  const bits = numberIn(text);
  if (bits === undefined) return text;
  return PROTECTIONS.map(([bit, letter]) => ((bits & bit) === 0n ? '-' : letter)).join('');
}

/** CLONE_NEWUSER | CLONE_NEWNS as "user, mount"; flags that make no namespace stay as they are. */
export function namespaces(text: string): string {
  const bits = numberIn(text);
  const found = bits === undefined ? [] : NAMESPACES.filter(([bit]) => (bits & bit) !== 0n);
  return found.length === 0 ? text : found.map(([, name]) => name).join(', ');
}

function names(bits: bigint): string[] {
  const found: string[] = [];
  for (let bit = 0n; bits >> bit > 0n; bit += 1n) {
    if (((bits >> bit) & 1n) === 1n) found.push(CAPABILITIES[Number(bit)] ?? String(bit));
  }
  return found;
}

function signed(sign: '+' | '−', list: readonly string[]): string[] {
  return list.length > MAX_NAMES ? [`${sign}${list.length}`] : list.map((name) => sign + name);
}

/** What a change of effective capabilities gave and took: "+sys_admin −chown"; many are counted. */
export function capabilityChange(before: string | undefined, after: string | undefined): string | undefined {
  const [old, now] = [numberIn(before), numberIn(after)];
  if (old === undefined || now === undefined) return after;
  const change = [...signed('+', names(now & ~old)), ...signed('−', names(old & ~now))];
  return change.length === 0 ? undefined : change.join(' ');
}
