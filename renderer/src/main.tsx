/** Entry of the console. */
import { createRoot } from 'react-dom/client';
import { App } from './frame/app.tsx';
import { startApp } from './store.ts';
import { hostConnect } from './transport.ts';

startApp(hostConnect());
const root = document.getElementById('root');
if (root) createRoot(root).render(<App />);
