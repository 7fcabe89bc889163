/** The one thing the console gets from the desktop: a port to the agent, on request. Runs sandboxed. */
import { contextBridge, ipcRenderer } from 'electron';

const PORT_CHANNEL = 'sentinel:port';

contextBridge.exposeInMainWorld('sentinel', {
  requestPort: (): void => ipcRenderer.send(PORT_CHANNEL),
});

ipcRenderer.on(PORT_CHANNEL, (event) => {
  // The page's own origin: a port must not reach a document that took this one's place.
  window.postMessage('sentinel-port', location.origin, event.ports);
});
