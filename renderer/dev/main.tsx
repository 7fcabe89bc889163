/**
 * The console over an agent made up in this page, for looking at states that are hard to bring about. Never part of
 * the product. Parameters before the hash: ?events=50000&rate=20&state=degraded|failed&hostile=1&drop=1&refuse=1
 */
import { createRoot } from 'react-dom/client';
import { App } from '../src/frame/app.tsx';
import { startApp } from '../src/store.ts';
import { NotAuthorised } from '../src/transport.ts';
import { createFakeAgent } from './fake-agent.ts';

const params = new URLSearchParams(location.search);
const fake = createFakeAgent({
  events: Number(params.get('events') ?? 5000),
  ratePerSecond: Number(params.get('rate') ?? 4),
  level: params.get('state') === 'failed' ? 'failed' : params.get('state') === 'degraded' ? 'degraded' : 'ok',
  hostile: params.has('hostile'),
});
let attempts = 0;
startApp(() => {
  attempts += 1;
  if (params.has('refuse')) return Promise.reject(new NotAuthorised('made up'));
  if (params.has('drop') && attempts > 1) return Promise.reject(new Error('made up'));
  const transport = fake.connect();
  if (params.has('drop')) setTimeout(() => fake.dropAll(), 2500);
  return Promise.resolve(transport);
});
const root = document.getElementById('root');
if (root) createRoot(root).render(<App />);
