/** The tray: how recording goes, the console on request, and an honest way out. */
import type { Menu, MenuItemConstructorOptions, NativeImage, Tray } from 'electron';
import type { Autostart } from './autostart.ts';
import type { HostStatus } from '../agent/desktop.ts';
import { TRAY_ICON_PX, trayBitmap } from './tray-icon.ts';

/** What is used of Electron. */
export interface TrayHost {
  Tray: new (
    image: NativeImage,
  ) => Pick<Tray, 'setImage' | 'setToolTip' | 'setContextMenu' | 'on' | 'destroy'>;
  Menu: Pick<typeof Menu, 'buildFromTemplate'>;
  nativeImage: {
    createFromBitmap(buffer: Buffer, options: { width: number; height: number }): NativeImage;
  };
}

export interface TrayActions {
  openConsole: () => void;
  quit: () => void;
  autostart: Autostart;
  /** BCP 47, for example es-MX. */
  locale: string;
}

const TEXTS = {
  en: {
    open: 'Open console',
    autostart: 'Start with the session',
    quitHosted: 'Quit and stop recording',
    quitAttached: 'Quit (the service keeps recording)',
  },
  es: {
    open: 'Abrir consola',
    autostart: 'Iniciar con la sesión',
    quitHosted: 'Salir y dejar de registrar',
    quitAttached: 'Salir (el servicio sigue registrando)',
  },
} as const;

/** Menu for a status. Quitting says what it does to the record. */
export function trayMenu(status: HostStatus, actions: TrayActions): MenuItemConstructorOptions[] {
  const texts = actions.locale.startsWith('es') ? TEXTS.es : TEXTS.en;
  return [
    { label: status.sentence, enabled: false },
    { type: 'separator' },
    { label: texts.open, click: actions.openConsole },
    {
      label: texts.autostart,
      type: 'checkbox',
      checked: actions.autostart.isOn(),
      click: (item) => actions.autostart.set(item.checked),
    },
    {
      label: status.mode === 'hosted' ? texts.quitHosted : texts.quitAttached,
      click: actions.quit,
    },
  ];
}

/** Puts the tray up and returns how to show a status in it. */
export function createTray(host: TrayHost, actions: TrayActions): (status: HostStatus) => void {
  const size = { width: TRAY_ICON_PX, height: TRAY_ICON_PX };
  const images = {
    ok: host.nativeImage.createFromBitmap(trayBitmap('ok'), size),
    degraded: host.nativeImage.createFromBitmap(trayBitmap('degraded'), size),
    failed: host.nativeImage.createFromBitmap(trayBitmap('failed'), size),
  };
  const tray = new host.Tray(images.degraded);
  tray.on('click', actions.openConsole);
  return (status) => {
    tray.setImage(images[status.level]);
    tray.setToolTip(`Sentinel: ${status.sentence}`);
    tray.setContextMenu(host.Menu.buildFromTemplate(trayMenu(status, actions)));
  };
}
