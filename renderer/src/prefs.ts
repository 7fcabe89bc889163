/** What this browser remembers of how a person likes the console. Never anything about events. */
import { create } from 'zustand';
import { type Locale, LOCALES, preferredLocale, setLocale } from './i18n/i18n.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];
export const DENSITIES = ['normal', 'compact'] as const;
export type Density = (typeof DENSITIES)[number];
/** How rows say when: the moment itself, or how long ago it was. */
export const TIME_STYLES = ['absolute', 'relative'] as const;
export type TimeStyle = (typeof TIME_STYLES)[number];
/** What the bars of the histogram are divided by. */
export const STACKINGS = ['severity', 'type'] as const;
export type Stacking = (typeof STACKINGS)[number];
export type PanelName = 'facets' | 'detail';

export interface SavedSearch {
  name: string;
  query: string;
}

export interface Panel {
  open: boolean;
  /** Pixels. */
  size: number;
}

export interface Prefs {
  theme: Theme;
  locale: Locale;
  density: Density;
  /** Shortcuts made of one character; WCAG 2.1.4 wants a way to turn them off. */
  singleKeys: boolean;
  panels: Record<PanelName, Panel>;
  facets: Record<string, boolean>;
  timeStyle: TimeStyle;
  stacking: Stacking;
  /** Repeats next to each other are one row of the list. */
  foldRepeats: boolean;
  /** Fields of the query language shown as columns of the list, in order. */
  columns: string[];
  /** Fields counted in the facets panel besides the usual ones. */
  facetFields: string[];
  saved: SavedSearch[];
  /** Queries run, newest first. */
  history: string[];
}

export const PANEL_LIMITS: Record<PanelName, { min: number; max: number }> = {
  facets: { min: 160, max: 360 },
  detail: { min: 280, max: 720 },
};
const KEY = 'sentinel.console';
const MAX_HISTORY = 50;
export const DEFAULT_COLUMNS: readonly string[] = ['rule', 'user', 'pid'];
export const MAX_COLUMNS = 8;
/** With the usual ten, what the agent counts in one answer. */
const MAX_FACET_FIELDS = 6;
const MAX_SAVED = 100;

function defaults(): Prefs {
  const narrow = window.innerWidth < 1200;
  return {
    theme: 'system',
    locale: preferredLocale(navigator.languages),
    density: 'normal',
    singleKeys: true,
    panels: {
      facets: { open: !narrow, size: 208 },
      detail: { open: true, size: narrow ? 372 : 440 },
    },
    facets: {},
    timeStyle: 'absolute',
    stacking: 'severity',
    foldRepeats: true,
    columns: [...DEFAULT_COLUMNS],
    facetFields: [],
    saved: [],
    history: [],
  };
}

/** Names of query fields, once each; undefined when it is not a list. */
function fieldList(value: unknown, most: number): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const names = value.filter((name): name is string => typeof name === 'string' && /^[a-z0-9.]+$/.test(name));
  return [...new Set(names)].slice(0, most);
}

function isSaved(value: unknown): value is SavedSearch {
  const { name, query } = (value ?? {}) as Partial<SavedSearch>;
  return typeof name === 'string' && name !== '' && typeof query === 'string' && query !== '';
}

/** Takes from stored JSON only what has the right shape. */
function restore(text: string | null): Prefs {
  const prefs = defaults();
  let stored: Partial<Record<keyof Prefs, unknown>>;
  try {
    stored = JSON.parse(text ?? '{}') as typeof stored;
  } catch {
    return prefs;
  }
  prefs.theme = THEMES.find((theme) => theme === stored.theme) ?? prefs.theme;
  prefs.locale = LOCALES.find((locale) => locale === stored.locale) ?? prefs.locale;
  prefs.density = DENSITIES.find((density) => density === stored.density) ?? prefs.density;
  prefs.timeStyle = TIME_STYLES.find((style) => style === stored.timeStyle) ?? prefs.timeStyle;
  prefs.stacking = STACKINGS.find((stacking) => stacking === stored.stacking) ?? prefs.stacking;
  prefs.columns = fieldList(stored.columns, MAX_COLUMNS) ?? prefs.columns;
  prefs.facetFields = fieldList(stored.facetFields, MAX_FACET_FIELDS) ?? prefs.facetFields;
  if (Array.isArray(stored.saved)) prefs.saved = stored.saved.filter(isSaved).slice(0, MAX_SAVED);
  if (typeof stored.foldRepeats === 'boolean') prefs.foldRepeats = stored.foldRepeats;
  if (typeof stored.singleKeys === 'boolean') prefs.singleKeys = stored.singleKeys;
  if (Array.isArray(stored.history)) {
    prefs.history = stored.history.filter((entry) => typeof entry === 'string').slice(0, MAX_HISTORY);
  }
  const panels = (stored.panels ?? {}) as Partial<Record<PanelName, Partial<Panel>>>;
  for (const name of ['facets', 'detail'] as const) {
    const panel = panels[name];
    if (typeof panel?.open === 'boolean') prefs.panels[name].open = panel.open;
    if (typeof panel?.size === 'number') prefs.panels[name].size = clampPanel(name, panel.size);
  }
  for (const [field, open] of Object.entries((stored.facets ?? {}) as Record<string, unknown>)) {
    if (typeof open === 'boolean') prefs.facets[field] = open;
  }
  return prefs;
}

export function clampPanel(name: PanelName, size: number): number {
  const { min, max } = PANEL_LIMITS[name];
  return Math.round(Math.min(max, Math.max(min, size)));
}

export const usePrefs = create<Prefs>(() => {
  const prefs = restore(localStorage.getItem(KEY));
  setLocale(prefs.locale);
  return prefs;
});

const dark = matchMedia('(prefers-color-scheme: dark)');

/** The theme in force. It is set on the document before anything draws with its colours. */
export const useTheme = create<{ theme: 'light' | 'dark' }>(() => ({ theme: 'light' }));

function applyLook(): void {
  const { theme, density } = usePrefs.getState();
  const resolved = theme === 'system' ? (dark.matches ? 'dark' : 'light') : theme;
  document.documentElement.dataset.theme = resolved;
  document.documentElement.dataset.density = density;
  useTheme.setState({ theme: resolved });
}
applyLook();
dark.addEventListener('change', applyLook);

usePrefs.subscribe((prefs) => {
  applyLook();
  try {
    localStorage.setItem(KEY, JSON.stringify(prefs));
  } catch {
    // Storage is full or forbidden: the console works, it just forgets.
  }
});

export function setPrefs(change: Partial<Prefs>): void {
  if (change.locale) setLocale(change.locale);
  usePrefs.setState(change);
}

export function setPanel(name: PanelName, change: Partial<Panel>): void {
  const { panels } = usePrefs.getState();
  const size = change.size === undefined ? panels[name].size : clampPanel(name, change.size);
  setPrefs({ panels: { ...panels, [name]: { ...panels[name], ...change, size } } });
}

export function rememberQuery(query: string): void {
  const text = query.trim();
  if (text === '') return;
  const { history } = usePrefs.getState();
  setPrefs({ history: [text, ...history.filter((entry) => entry !== text)].slice(0, MAX_HISTORY) });
}

/** Shows a field as the last column of the list, or takes it away. */
export function toggleColumn(field: string): void {
  const { columns } = usePrefs.getState();
  const rest = columns.filter((name) => name !== field);
  setPrefs({ columns: rest.length < columns.length ? rest : [...rest, field].slice(-MAX_COLUMNS) });
}

/** Counts a field in the facets panel, or stops to. */
export function toggleFacetField(field: string): void {
  const { facetFields, facets } = usePrefs.getState();
  const rest = facetFields.filter((name) => name !== field);
  const added = rest.length === facetFields.length;
  setPrefs({
    facetFields: added ? [field, ...rest].slice(0, MAX_FACET_FIELDS) : rest,
    facets: { ...facets, [field]: added },
  });
}

/** Saves a query under a name, in place of what had it. */
export function saveSearch(name: string, query: string): void {
  const rest = usePrefs.getState().saved.filter((search) => search.name !== name);
  setPrefs({ saved: [{ name, query }, ...rest].slice(0, MAX_SAVED) });
}

export function removeSearch(name: string): void {
  setPrefs({ saved: usePrefs.getState().saved.filter((search) => search.name !== name) });
}
