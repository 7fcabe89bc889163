/**
 * /metrics (Prometheus text format 0.0.4), /healthz and /ready on loopback; off unless a port is configured.
 * Nothing here names a process, a file or a user.
 */
import type { AddressInfo } from 'node:net';
import type { HealthSnapshot } from './api/contract.ts';
import { SentinelError } from './errors.ts';

type Sample = readonly [name: string, labels: Readonly<Record<string, string>>, value: number];

const HELP: Readonly<Record<string, readonly [type: string, help: string]>> = {
  agent_cpu_percent: ['gauge', 'CPU of the agent, percent of one core'],
  agent_memory_bytes: ['gauge', 'Resident memory of the agent'],
  agent_events_queued: ['gauge', 'Records stored in the logs and not yet in the timeline'],
  agent_events_total: ['counter', 'Records by lane since start'],
  agent_wal_backlog_bytes: ['gauge', 'Bytes accepted and not yet durable'],
  agent_ready_state: ['gauge', '1 while recording, 0 once the security log has failed'],
  sentinel_check_latency_seconds: [
    'gauge',
    'Kernel event to decision, by quantile, over the last two minutes',
  ],
  sentinel_hook_events_total: ['counter', 'Records by kernel hook'],
  sentinel_hook_lost_total: ['counter', 'Records lost by kernel hook'],
  sentinel_detections_total: ['counter', 'Detections since start'],
  sentinel_policies: ['gauge', 'Blocking policies in force'],
  sentinel_enforcement_total: [
    'counter',
    'Matches of blocking policies since start, by guardian and outcome',
  ],
  sentinel_enforcement_troubles: ['gauge', 'Known changes to the kernel side that are not ours'],
  sentinel_shield_total: ['counter', 'Events with a text made to act on its reader, by verdict'],
  sentinel_errors_total: ['counter', 'Errors by kind'],
};

function samples(health: HealthSnapshot): Sample[] {
  const failed = health.wal.some((log) => log.lane === 'security' && log.state === 'failed');
  const list: Sample[] = [
    ['agent_cpu_percent', {}, health.agent.cpuPercent],
    ['agent_memory_bytes', {}, health.agent.rssBytes],
    ['agent_ready_state', {}, failed ? 0 : 1],
    ['sentinel_detections_total', {}, health.totals.detections],
    ['agent_events_total', { lane: 'security' }, health.totals.security],
    ['agent_events_total', { lane: 'observability' }, health.totals.observability],
    ['sentinel_check_latency_seconds', { quantile: '0.5' }, health.latency.kernelToDecision.p50Us / 1e6],
    ['sentinel_check_latency_seconds', { quantile: '0.99' }, health.latency.kernelToDecision.p99Us / 1e6],
  ];
  for (const log of health.wal) list.push(['agent_wal_backlog_bytes', { lane: log.lane }, log.pendingBytes]);
  for (const sink of health.sinks)
    list.push(['agent_events_queued', { sink: sink.name, lane: sink.lane }, sink.lagRecords]);
  for (const hook of health.sensor.hooks) {
    list.push(['sentinel_hook_events_total', { hook: hook.name }, hook.events]);
    list.push(['sentinel_hook_lost_total', { hook: hook.name }, hook.lost]);
  }
  for (const [verdict, events] of Object.entries(health.shield ?? {}))
    list.push(['sentinel_shield_total', { verdict }, events]);
  const { enforcement } = health;
  if (enforcement) {
    list.push(['sentinel_policies', {}, enforcement.policies]);
    list.push(['sentinel_enforcement_troubles', {}, enforcement.troubles.length]);
    list.push([
      'sentinel_enforcement_total',
      { guardian: 'kernel', outcome: 'matched' },
      enforcement.kernelActs,
    ]);
    for (const [outcome, count] of Object.entries(enforcement.agentActs))
      list.push(['sentinel_enforcement_total', { guardian: 'agent', outcome }, count]);
  }
  for (const [kind, count] of Object.entries(health.errors))
    list.push(['sentinel_errors_total', { kind }, count]);
  return list;
}

/** Text exposition of a health snapshot. */
export function renderMetrics(health: HealthSnapshot): string {
  const lines: string[] = [];
  const byName = Map.groupBy(samples(health), ([name]) => name);
  for (const [name, group] of byName) {
    const [type, help] = HELP[name] ?? ['gauge', name];
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [, labels, value] of group) {
      const text = Object.entries(labels)
        .map(
          ([key, label]) =>
            `${key}="${label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
        )
        .join(',');
      lines.push(`${name}${text ? `{${text}}` : ''} ${value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/**
 * Serves on 127.0.0.1:port until closed.
 * @throws SentinelError when the port is in use.
 */
export async function serveMetrics(
  port: number,
  health: () => HealthSnapshot,
): Promise<{ port: number; close(): Promise<void> }> {
  const { createServer } = await import('node:http');
  const server = createServer((request, response) => {
    const snapshot = health();
    const text = (status: number, body: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
    };
    const ready = !snapshot.wal.some((log) => log.lane === 'security' && log.state === 'failed');
    if (request.method !== 'GET') text(405, 'only GET\n');
    else if (request.url === '/metrics')
      text(200, renderMetrics(snapshot), 'text/plain; version=0.0.4; charset=utf-8');
    else if (request.url === '/healthz') text(snapshot.level === 'failed' ? 503 : 200, `${snapshot.level}\n`);
    else if (request.url === '/ready') text(ready ? 200 : 503, ready ? 'ready\n' : 'not recording\n');
    else text(404, 'there are /metrics, /healthz and /ready\n');
  });
  server.maxConnections = 16;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new SentinelError(
              'port_in_use',
              `port ${port} for /metrics is in use`,
              'choose another prometheus.port, or 0 to turn it off',
              { cause: error },
            )
          : error,
      );
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
