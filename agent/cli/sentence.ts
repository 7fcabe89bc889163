/** One line for a person about an event, for terminals: every string from watched programs is made harmless first. */
import type { EventJson } from '../api/contract.ts';
import { printable, shellQuote } from '../printable.ts';

const GLYPHS: Readonly<Record<string, string>> = {
  info: '·',
  low: '○',
  medium: '◆',
  high: '▲',
  critical: '✖',
};

function address(ip: string | undefined, port: number | undefined): string {
  if (ip === undefined) return '?';
  const host = ip.includes(':') ? `[${ip}]` : ip;
  return port === undefined ? host : `${host}:${port}`;
}

function what(event: EventJson): string {
  const { process, file, network, gap } = event;
  const who = process ? `${process.name || '?'}[${process.pid}]` : '';
  if (gap) {
    return `GAP ${gap.cause}: ${gap.count ?? 'an unknown number of'} records of the ${gap.lane} lane${gap.hook ? ` (${gap.hook})` : ''}`;
  }
  if (event.metrics) {
    return `${Object.entries(event.metrics)
      .slice(0, 4)
      .map(([name, value]) => `${name}=${Math.round(value * 100) / 100}`)
      .join(' ')} …`;
  }
  if (event.type === 'process' && process) {
    if (event.action === 'exec' || event.action === 'snapshot') {
      const from = event.parent ? `${event.parent.name}[${event.parent.pid}] → ` : '';
      return `${from}${who} ${shellQuote(process.argv ?? [])}`;
    }
    if (event.action === 'exit')
      return `${who} ended (${process.exitSignal ? `signal ${process.exitSignal}` : `exit ${process.exitCode ?? '?'}`})`;
  }
  if (file) return `${who} ${event.action} ${file.oldPath ? `${file.oldPath} → ` : ''}${file.path}`;
  if (event.dns) return `${who} asked DNS for ${event.dns.query}`;
  if (network) {
    const [here, there] = [address(network.srcIp, network.srcPort), address(network.dstIp, network.dstPort)];
    return `${who} ${event.action} ${network.protocol} ${network.direction === 'inbound' ? `${there} → ${here}` : `${here} → ${there}`}`;
  }
  const target = event.target ? ` ${event.target.name}[${event.target.pid}]` : '';
  return `${who} ${event.action}${target}${event.message ? ` ${event.message}` : ''}`;
}

/** "2026-11-21 14:03:22.104 ▲ root  bash[12] → curl[13] curl https://…  «Rule title»". Local time. */
export function eventLine(event: EventJson): string {
  const ms = Number(BigInt(event.tsNs) / 1_000_000n);
  const at = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000)
    .toISOString()
    .replace('T', ' ')
    .slice(0, 23);
  const titles = (event.detections ?? []).map((detection) => ` «${detection.title}»`).join('');
  const user = event.process?.user ?? (event.process?.uid === undefined ? '' : String(event.process.uid));
  return printable(
    `${at} ${GLYPHS[event.severity] ?? '·'} ${user.padEnd(8)} ${what(event)}${titles}${event.synthetic ? ' (imputed)' : ''}`,
  );
}
