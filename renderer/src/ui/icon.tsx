/** The console's icons: 16 px, one stroke, drawn here so that nothing is fetched. */
const PATHS = {
  timeline: 'M2 4h8M2 8h12M2 12h6',
  detections: 'M8 1.8 13.5 4v4c0 3.2-2.2 5.3-5.5 6.4C4.7 13.3 2.5 11.2 2.5 8V4zM8 5.2v3.2M8 10.8v.1',
  policies: 'M3 2.5h10v11H3zM5.5 6l1 1 2-2M5.5 10.5h5',
  dlp: 'M4 2.5h5l3 3v8H4zM9 2.5v3h3M6 8.5h4M6 11h2.5',
  health: 'M1.5 8.5H4l2-5 3.5 9 2-4h3',
  close: 'M4 4l8 8M12 4l-8 8',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.4 10.4 14 14',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M5 3.2v9.6L12.5 8z',
  include: 'M8 3.5v9M3.5 8h9',
  exclude: 'M3.5 8h9',
  copy: 'M5.5 5.5h7v8h-7zM3.5 10.5v-8h7',
  link: 'M6.5 9.5l3-3M7 4.5l1.2-1.2a2.8 2.8 0 0 1 4 4L11 8.5M9 11.5l-1.2 1.2a2.8 2.8 0 0 1-4-4L5 7.5',
  up: 'M4 10l4-4 4 4',
  down: 'M4 6l4 4 4-4',
  right: 'M6 4l4 4-4 4',
  left: 'M10 4 6 8l4 4',
  facets: 'M2.5 3.5h11M4.5 8h7M6.5 12.5h3',
  settings:
    'M3 4.5h5.5M11.5 4.5H13M3 11.5h1.5M7.5 11.5H13M10 3a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3M6 10a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3',
  zoomOut: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.4 10.4 14 14M5 7h4',
  keyboard: 'M1.5 4h13v8h-13zM4 6.5h.1M6.7 6.5h.1M9.3 6.5h.1M12 6.5h.1M5 9.5h6',
  check: 'M3 8.5l3.5 3.5L13 4.5',
  clock: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 4.8V8l2.2 1.6',
  pin: 'M6 2h4l-.5 4.5L12 9H4l2.5-2.5zM8 9v5',
  around: 'M8 6.5v3M2 4h12M2 12h12M5 8h.1M8 8h.1M11 8h.1',
  columns: 'M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10',
  star: 'M8 2l1.8 3.8 4.2.5-3.1 2.8.8 4.1L8 11.2l-3.7 2 .8-4.1L2 6.3l4.2-.5z',
  processes: 'M3 3h4M5 3v10h3M5 8h3M10 8h3M10 13h3',
  mark: 'M3 3h10v10H3zM5.5 8l2 2 3.5-4',
  reload: 'M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3',
  download: 'M8 2.5v7M5 7l3 3 3-3M3 13h10',
  trash: 'M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.5 8.5h6l.5-8.5',
  more: 'M3.5 8h.1M8 8h.1M12.5 8h.1',
  gap: 'M2 8h3.5M10.5 8H14M7 4.5 5.5 11.5M10.5 4.5 9 11.5',
  warning: 'M8 2.2 14.5 13.5h-13zM8 6.5v3M8 11.5v.1',
} as const;
export type IconName = keyof typeof PATHS;
export const ICON_NAMES = Object.keys(PATHS) as IconName[];

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
