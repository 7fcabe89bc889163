/**
 * Connections by polling /proc/net: needs no rights, but sees only what lasts from one look to the next, and who owns
 * a socket only for processes whose descriptors we may list.
 *
 * Bounds: MAX_SOCKETS per look (the rest is told as a blind spot of that look), MAX_LINKS descriptors listed per look.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { NetworkInfo } from '../event.ts';

const MAX_SOCKETS = 20_000;
const MAX_LINKS = 4_000;
const TCP_ESTABLISHED = 1;
const TCP_SYN_SENT = 2;
const TCP_LISTEN = 10;

export interface SocketRow {
  protocol: 'tcp' | 'udp';
  localIp: string;
  localPort: number;
  remoteIp: string;
  remotePort: number;
  state: number;
  uid: number;
  inode: number;
}

/** Address of /proc/net in its usual notation: words of four bytes, each in host (little-endian) order. */
export function parseAddress(hex: string): string {
  const bytes: number[] = [];
  for (let word = 0; word < hex.length; word += 8) {
    for (let byte = 6; byte >= 0; byte -= 2)
      bytes.push(Number.parseInt(hex.slice(word + byte, word + byte + 2), 16));
  }
  if (bytes.length === 4) return bytes.join('.');
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (mapped) return bytes.slice(12).join('.');
  return compressed(bytes);
}

/** RFC 5952 text of 16 bytes. */
function compressed(bytes: readonly number[]): string {
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at] as number) << 8) | (bytes[at + 1] as number));
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length += 1;
    if (length > best.length) best = { at, length };
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (best.at < 0) return text(groups);
  return `${text(groups.slice(0, best.at))}::${text(groups.slice(best.at + best.length))}`;
}

/** Rows of /proc/net/{tcp,tcp6,udp,udp6}; lines that are none are skipped. */
export function parseNetTable(text: string, protocol: 'tcp' | 'udp', limit = MAX_SOCKETS): SocketRow[] {
  const rows: SocketRow[] = [];
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const match = /^([0-9A-F]{8}(?:[0-9A-F]{24})?):([0-9A-F]{4})$/;
    const local = match.exec(fields[1] ?? '');
    const remote = match.exec(fields[2] ?? '');
    if (local === null || remote === null) continue;
    rows.push({
      protocol,
      localIp: parseAddress(local[1] as string),
      localPort: Number.parseInt(local[2] as string, 16),
      remoteIp: parseAddress(remote[1] as string),
      remotePort: Number.parseInt(remote[2] as string, 16),
      state: Number.parseInt(fields[3] ?? '0', 16),
      uid: Number(fields[7]),
      inode: Number(fields[9]),
    });
    if (rows.length >= limit) break;
  }
  return rows;
}

export interface ConnectionChange {
  action: 'connect' | 'accept' | 'listen' | 'close';
  network: NetworkInfo;
  uid: number;
  /** Owner, when it could be found. */
  pid: number | undefined;
}

interface KnownSocket {
  row: SocketRow;
  direction: 'outbound' | 'inbound' | 'listen';
  pid: number | undefined;
}

export class ConnectionPoller {
  readonly #root: string;
  #known = new Map<string, KnownSocket>();
  #primed = false;
  /** Sockets beyond the limit at the last look. */
  overLimit = false;

  constructor(root = '/proc') {
    this.#root = root;
  }

  /** What changed since the last look. The first look only learns, and tells who listens. */
  poll(pids: readonly number[]): ConnectionChange[] {
    const rows = this.#rows();
    this.overLimit = rows.length >= MAX_SOCKETS;
    const listening = new Set(rows.filter((row) => row.state === TCP_LISTEN).map((row) => row.localPort));
    const current = new Map<string, KnownSocket>();
    const fresh: KnownSocket[] = [];
    for (const row of rows) {
      const direction = directionOf(row, listening);
      if (direction === undefined) continue;
      const key = `${row.protocol} ${row.localIp} ${row.localPort} ${row.remoteIp} ${row.remotePort} ${row.inode}`;
      const known = this.#known.get(key) ?? { row, direction, pid: undefined };
      if (!this.#known.has(key)) fresh.push(known);
      current.set(key, known);
    }
    if (fresh.length > 0) this.#findOwners(fresh, pids);
    const changes: ConnectionChange[] = [];
    for (const socket of fresh) {
      if (this.#primed || socket.direction === 'listen') changes.push(changeOf(socket));
    }
    for (const [key, socket] of this.#known) {
      if (!current.has(key) && socket.direction !== 'listen')
        changes.push({ ...changeOf(socket), action: 'close' });
    }
    this.#known = current;
    this.#primed = true;
    return changes;
  }

  #rows(): SocketRow[] {
    const rows: SocketRow[] = [];
    for (const name of ['tcp', 'tcp6', 'udp', 'udp6'] as const) {
      try {
        const text = readFileSync(`${this.#root}/net/${name}`, 'latin1');
        rows.push(...parseNetTable(text, name.startsWith('tcp') ? 'tcp' : 'udp', MAX_SOCKETS - rows.length));
      } catch {
        // A kernel without IPv6 has no such file.
      }
      if (rows.length >= MAX_SOCKETS) break;
    }
    return rows;
  }

  /** Lists descriptors, youngest processes first: a new socket is most often theirs. */
  #findOwners(sockets: readonly KnownSocket[], pids: readonly number[]): void {
    const wanted = new Map<number, KnownSocket>();
    for (const socket of sockets) if (socket.row.inode !== 0) wanted.set(socket.row.inode, socket);
    let links = 0;
    for (let index = pids.length - 1; index >= 0 && wanted.size > 0 && links < MAX_LINKS; index--) {
      const directory = `${this.#root}/${pids[index]}/fd`;
      let names: string[];
      try {
        names = readdirSync(directory);
      } catch {
        continue; // Another user's, or gone.
      }
      for (const name of names) {
        links += 1;
        try {
          const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`${directory}/${name}`))?.[1];
          const socket = inode === undefined ? undefined : wanted.get(Number(inode));
          if (socket === undefined) continue;
          socket.pid = pids[index];
          wanted.delete(Number(inode));
        } catch {
          // Closed meanwhile.
        }
      }
    }
  }
}

function directionOf(row: SocketRow, listening: ReadonlySet<number>): KnownSocket['direction'] | undefined {
  if (row.protocol === 'udp') {
    if (row.state === TCP_ESTABLISHED) return 'outbound';
    return row.localPort === 0 ? undefined : 'listen';
  }
  if (row.state === TCP_LISTEN) return 'listen';
  if (row.state !== TCP_ESTABLISHED && row.state !== TCP_SYN_SENT) return undefined;
  return listening.has(row.localPort) ? 'inbound' : 'outbound';
}

function changeOf({ row, direction, pid }: KnownSocket): ConnectionChange {
  const network: NetworkInfo = {
    protocol: row.protocol,
    srcIp: row.localIp,
    srcPort: row.localPort,
    direction,
  };
  if (direction === 'inbound') {
    // Source is who began: the peer.
    network.srcIp = row.remoteIp;
    network.srcPort = row.remotePort;
    network.dstIp = row.localIp;
    network.dstPort = row.localPort;
  } else if (direction === 'outbound') {
    network.dstIp = row.remoteIp;
    network.dstPort = row.remotePort;
  }
  const action = direction === 'listen' ? 'listen' : direction === 'inbound' ? 'accept' : 'connect';
  return { action, network, uid: row.uid, pid };
}
